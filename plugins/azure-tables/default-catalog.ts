import {
  openCatalog,
  type Catalog,
  type CatalogFilter,
  type CatalogOptions,
  type Commit,
  type Inserted,
  type JsonRecord,
  type QueryOptions,
  type Recovered,
  type RowKey,
  type WriteOptions,
} from "agnes/catalog";
import { AgnesError } from "agnes/kit";

import { azureTablesStorage } from "./storage.ts";

/** The one catalog of a small program; see `configure`. */
export type DefaultCatalogOptions = Partial<CatalogOptions>;

let configured: DefaultCatalogOptions | null = null;
let opened: Promise<Catalog<JsonRecord>> | null = null;

/**
 * Sets the catalog that `insert`, `query`, `delete` and `recover` work on. Missing options come from the environment:
 * `TABLE_CATALOG_NAME`, `TABLE_CATALOG_ROW_KEY` and `TABLE_CATALOG_INDEX_KEYS` (separated by commas), and without a
 * `storage`, `AZURE_STORAGE_CONNECTION_STRING` and `TABLE_CATALOG_WAL_NAME`. Not needed when all of them are set there.
 *
 * @throws `invalid_input` when a catalog is configured or in use already
 * @example
 * ```ts
 * import { memoryStorage } from "agnes/catalog";
 * import { configure, insert, query } from "agnes/plugins/azure-tables";
 * configure({ storage: memoryStorage(), name: "notes", rowKey: "id", indexKeys: ["author"] });
 * await insert({ id: "1", author: "ann" });
 * console.log(await query({ author: "ann" }));
 * ```
 */
export function configure(options: DefaultCatalogOptions): void {
  if (configured !== null || opened !== null) invalid("it is configured already; close it first");
  configured = options;
}

/**
 * Adds or replaces a record in the configured catalog.
 * @example
 * ```ts
 * import { insert } from "agnes/plugins/azure-tables";
 * await insert({ id: "1", author: "ann" });
 * ```
 */
export async function insert(record: JsonRecord, options?: WriteOptions): Promise<Inserted> {
  return (await theCatalog()).insert(record, options);
}

/**
 * The records of the configured catalog that match.
 * @example
 * ```ts
 * import { query } from "agnes/plugins/azure-tables";
 * const notes = await query({ author: "ann" }, { rowFrom: "1", limit: 10 });
 * ```
 */
export async function query(
  filter: CatalogFilter<JsonRecord>,
  options?: QueryOptions,
): Promise<readonly JsonRecord[]> {
  return (await (await theCatalog()).query(filter, options)).map(({ record }) => record);
}

/**
 * Deletes records of the configured catalog; exported as `delete`.
 * @example
 * ```ts
 * import { delete as remove } from "agnes/plugins/azure-tables";
 * await remove({ author: "ann" });
 * ```
 */
export async function remove(
  target: RowKey | CatalogFilter<JsonRecord>,
  options?: WriteOptions & QueryOptions,
): Promise<Commit<JsonRecord>> {
  return (await theCatalog()).delete(target, options);
}

/**
 * Brings what a dead writer left behind into the indexes of the configured catalog.
 * @example
 * ```ts
 * import { recover } from "agnes/plugins/azure-tables";
 * console.log((await recover()).replayed);
 * ```
 */
export async function recover(): Promise<Recovered> {
  return (await theCatalog()).recover();
}

/**
 * Closes the configured catalog and forgets it.
 * @example
 * ```ts
 * import { close } from "agnes/plugins/azure-tables";
 * await close();
 * ```
 */
export async function close(): Promise<void> {
  const closing = opened;
  configured = null;
  opened = null;
  await (await closing)?.close();
}

function theCatalog(): Promise<Catalog<JsonRecord>> {
  opened ??= open(configured ?? {}).catch((error: unknown) => {
    opened = null;
    throw error;
  });
  return opened;
}

async function open(options: DefaultCatalogOptions): Promise<Catalog<JsonRecord>> {
  const env = options.host?.env ?? process.env;
  const setting = (name: string) => env[name] || invalid(`the environment variable ${name} is not set`);
  const name = options.name ?? setting("TABLE_CATALOG_NAME");
  const rowKey = options.rowKey ?? split(setting("TABLE_CATALOG_ROW_KEY"));
  const indexKeys = options.indexKeys ?? split(setting("TABLE_CATALOG_INDEX_KEYS"));
  const storage =
    options.storage ??
    azureTablesStorage({
      connectionString: setting("AZURE_STORAGE_CONNECTION_STRING"),
      table: name,
      ...(env["TABLE_CATALOG_WAL_NAME"] ? { logTable: env["TABLE_CATALOG_WAL_NAME"] } : {}),
    });
  return openCatalog<JsonRecord>({ ...options, storage, name, rowKey, indexKeys });
}

function split(names: string): readonly string[] {
  return names
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function invalid(reason: string): never {
  throw new AgnesError("invalid_input", { what: "the default catalog", reason });
}
