import type { CatalogStorage } from "../catalog/mod.ts";

/** The configuration of the storage contract. */
export interface StorageContractConfig {
  /** Opens a storage on the same data each time, like another process. */
  readonly open: () => CatalogStorage;
}

/** The context of a case. */
export interface StorageContext extends StorageContractConfig {
  /** A catalog used only by this case. */
  readonly catalog: string;
}

/** One case of the storage contract. */
export interface StorageCase {
  readonly name: string;
  readonly run: (context: StorageContext) => Promise<void>;
}
