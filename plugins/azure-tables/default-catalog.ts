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

/** Options of the default catalog; see `configure`. */
export type DefaultCatalogOptions = Partial<CatalogOptions>;

let configured: DefaultCatalogOptions | null = null;
let opened: Promise<Catalog<JsonRecord>> | null = null;

/**
 * Configures the default catalog, which `insert`, `query`, `delete` and `recover` use. Missing options are read from
 * the environment: `TABLE_CATALOG_NAME`, `TABLE_CATALOG_ROW_KEY` and `TABLE_CATALOG_INDEX_KEYS` (separated by commas),
 * and without a `storage`, `AZURE_STORAGE_CONNECTION_STRING` and `TABLE_CATALOG_WAL_NAME`. Without a call of
 * `configure`, all of them are read from the environment.
 *
 * @throws `invalid_input` if the default catalog is already configured or in use
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
  if (configured !== null || opened !== null) invalid("it is already configured; close it first");
  configured = options;
}

/**
 * Adds or replaces a record in the default catalog.
 * @example
 * ```ts
 * import { insert } from "agnes/plugins/azure-tables";
 * await insert({ id: "1", author: "ann" });
 * ```
 */
export async function insert(record: JsonRecord, options?: WriteOptions): Promise<Inserted> {
  return (await defaultCatalog()).insert(record, options);
}

/**
 * Returns the matching records of the default catalog.
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
  return (await (await defaultCatalog()).query(filter, options)).map(({ record }) => record);
}

/**
 * Deletes records of the default catalog. Exported as `delete`.
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
  return (await defaultCatalog()).delete(target, options);
}

/**
 * Adds entries of crashed writers to the indexes of the default catalog.
 * @example
 * ```ts
 * import { recover } from "agnes/plugins/azure-tables";
 * console.log((await recover()).replayed);
 * ```
 */
export async function recover(): Promise<Recovered> {
  return (await defaultCatalog()).recover();
}

/**
 * Closes the default catalog and discards its configuration.
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

function defaultCatalog(): Promise<Catalog<JsonRecord>> {
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
