import { verifyCatalog, type Catalog } from "../catalog/mod.ts";

/** Records of a workspace in a catalog of their own. */
export abstract class Records<R extends object> implements AsyncDisposable {
  protected readonly catalog: Catalog<R>;

  protected constructor(catalog: Catalog<R>) {
    this.catalog = catalog;
  }

  /** Reads all of them, and returns their number. Throws `catalog_corrupt` with the damaged part. */
  verify(): Promise<number> {
    return verifyCatalog(this.catalog);
  }

  close(): Promise<void> {
    return this.catalog.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
