import { AgnesError, createHost } from "../base/mod.ts";
import { openCatalog } from "./catalog.ts";
import type { CatalogStorage, JsonRecord } from "./storage.ts";
import type {
  Catalog,
  CatalogFilter,
  CatalogOptions,
  Commit,
  Inserted,
  QueryOptions,
  Recovered,
  RowKey,
  WriteOptions,
} from "./types.ts";

/** The one catalog of a small program; see `configure`. */
export type DefaultCatalogOptions = Partial<CatalogOptions>;

let configured: DefaultCatalogOptions | null = null;
let opened: Promise<Catalog<JsonRecord>> | null = null;

/**
 * Says which catalog `insert`, `query`, `delete` and `recover` work on. What is not given comes from the
 * environment: `TABLE_CATALOG_NAME`, `TABLE_CATALOG_ROW_KEY` and `TABLE_CATALOG_INDEX_KEYS` (with commas),
 * and for a storage in Azure Tables `AZURE_STORAGE_CONNECTION_STRING` and `TABLE_CATALOG_WAL_NAME`.
 * Nothing need be configured when the environment says everything.
 *
 * @throws `invalid_input` when a catalog is configured or in use already
 * @example
 * ```ts
 * import { configure, insert, memoryStorage, query } from "agnes/catalog";
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
 * import { insert } from "agnes/catalog";
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
 * import { query } from "agnes/catalog";
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
 * import { delete as remove } from "agnes/catalog";
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
 * import { recover } from "agnes/catalog";
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
 * import { close } from "agnes/catalog";
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
  const host = options.host ?? createHost();
  const setting = (name: string) => host.env[name] || invalid(`the environment variable ${name} is not set`);
  const name = options.name ?? setting("TABLE_CATALOG_NAME");
  const rowKey = options.rowKey ?? split(setting("TABLE_CATALOG_ROW_KEY"));
  const indexKeys = options.indexKeys ?? split(setting("TABLE_CATALOG_INDEX_KEYS"));
  const storage =
    options.storage ??
    (await azureStorage({
      connectionString: setting("AZURE_STORAGE_CONNECTION_STRING"),
      table: name,
      ...(host.env["TABLE_CATALOG_WAL_NAME"] ? { logTable: host.env["TABLE_CATALOG_WAL_NAME"] } : {}),
    }));
  return openCatalog<JsonRecord>({ ...options, storage, name, rowKey, indexKeys });
}

async function azureStorage(options: object): Promise<CatalogStorage> {
  // By its public name and only now: the core knows no plugin, and most catalogs need none.
  const plugin: string = "agnes/plugins/azure-tables";
  const { azureTablesStorage } = (await import(plugin)) as {
    azureTablesStorage: (options: object) => CatalogStorage;
  };
  return azureTablesStorage(options);
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
