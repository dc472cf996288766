import type { CatalogStorage } from "../catalog/mod.ts";

/** What the contract is held against. */
export interface StorageContractConfig {
  /** A storage on the same data each time, as another process would open it. */
  readonly open: () => CatalogStorage;
}

/** What a case is run on. */
export interface StorageContext extends StorageContractConfig {
  /** A catalog that no other case uses. */
  readonly catalog: string;
}

/** One promise of a storage. */
export interface StorageCase {
  readonly name: string;
  readonly run: (context: StorageContext) => Promise<void>;
}
