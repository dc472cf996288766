import type { TableClient, TableServiceClient, TableServiceClientOptions } from "@azure/data-tables";
import type { CatalogStorage, CatalogStore } from "agnes/catalog";
import { AgnesError, optionalPackage } from "agnes/kit";

import { clientGateway, statusOf, type TableGateway } from "./gateway.ts";
import { refusePythonCatalog } from "./python-detect.ts";
import { AzureStore } from "./store.ts";

/** The connection to the account, and the tables to use. */
export interface AzureTablesOptions {
  /** A connection string of the storage account. Required without `endpoint`. */
  readonly connectionString?: string;
  /** The table endpoint, `https://ACCOUNT.table.core.windows.net`. Uses `credential`. */
  readonly endpoint?: string;
  /** A token credential of `@azure/identity`. Default: `DefaultAzureCredential`. */
  readonly credential?: TokenCredential;
  /** The table of the indexes: 3 to 63 letters and digits. Default: `AgnesCatalog`. */
  readonly table?: string;
  /** The table of the write-ahead log. Default: the name of the table followed by `Wal`. */
  readonly logTable?: string;
  /** How long lookups may miss entries that a crashed writer did not index. Default: 1,000. */
  readonly recheckMs?: number;
  /** Timeout of one request. Default: 8,000. */
  readonly requestTimeoutMs?: number;
}

/** A token credential, compatible with those of `@azure/identity`. */
export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/**
 * Stores catalogs in Azure Tables, for any number of machines. Several catalogs can share the two tables.
 *
 * The client library is loaded when the first catalog is opened.
 *
 * @throws (opening) `azure-tables/python_catalog`, `invalid_input`, `catalog_storage_refused`, `catalog_unavailable`
 * @example
 * ```ts
 * import { openCatalog } from "agnes/catalog";
 * import { azureTablesStorage } from "agnes/plugins/azure-tables";
 * const storage = azureTablesStorage({ connectionString: process.env["AZURE_STORAGE_CONNECTION_STRING"]! });
 * const notes = await openCatalog({ storage, name: "notes", rowKey: "id", indexKeys: ["author"] });
 * ```
 */
export function azureTablesStorage(options: AzureTablesOptions): CatalogStorage {
  const tableName = options.table ?? "AgnesCatalog";
  const logName = options.logTable ?? `${tableName}Wal`;
  // A timer with a longer delay fires immediately.
  const requestTimeoutMs = Math.min(options.requestTimeoutMs ?? 8000, 2 ** 31 - 1);
  let connected: Promise<Connected> | null = null;
  const connect = async () => {
    const names = [checkName(tableName), checkName(logName)];
    const clients = await Promise.all(names.map((name) => connectTable(options, name)));
    const [table, log] = clients.map((client) => clientGateway(client, requestTimeoutMs)) as [
      TableGateway,
      TableGateway,
    ];
    await Promise.all([table.prepare(), log.prepare()]);
    return { clients, table, log };
  };
  return {
    open: (catalog, schema) =>
      withCatalogErrors(catalog, "open", async () => {
        connected ??= connect().catch((error: unknown) => {
          connected = null;
          throw error;
        });
        const { clients, table, log } = await connected;
        const refuseForeign = () => refusePythonCatalog(catalog, clients, requestTimeoutMs);
        return azureStore({
          catalog,
          schema,
          table,
          log,
          recheckMs: options.recheckMs ?? 1000,
          refuseForeign,
        });
      }),
  };
}

/** The tables of a storage and their clients. */
interface Connected {
  readonly clients: readonly TableClient[];
  readonly table: TableGateway;
  readonly log: TableGateway;
}

/** All entities of the two tables, as the service's JSON. Creates nothing. */
export async function entitiesOf(
  options: AzureTablesOptions,
): Promise<Record<"table" | "log", () => Entities>> {
  const table = checkName(options.table ?? "AgnesCatalog");
  const names = [table, checkName(options.logTable ?? `${table}Wal`)];
  const [indexes, log] = await Promise.all(names.map((name) => connectTable(options, name)));
  return { table: () => rawEntities(indexes!), log: () => rawEntities(log!) };
}

type Entities = AsyncIterable<Readonly<Record<string, unknown>>>;

/** The client renames some properties, so a property called `timestamp` would be lost. */
async function* rawEntities(client: TableClient): Entities {
  let body = "";
  const onResponse = (response: { readonly bodyAsText?: string | null }) => {
    body = response.bodyAsText ?? "";
  };
  const pages = client.listEntities({ onResponse }).byPage();
  for (;;) {
    const next = await withCatalogErrors(client.tableName, "read the entities", () => pages.next());
    if (next.done === true) return;
    yield* (JSON.parse(body) as { readonly value: readonly Readonly<Record<string, unknown>>[] }).value;
  }
}

/** A store that throws catalog errors instead of errors of the service. */
export function azureStore(options: ConstructorParameters<typeof AzureStore>[0]): CatalogStore {
  const store = new AzureStore(options);
  const wrap = <T>(operation: string, work: () => Promise<T>) =>
    withCatalogErrors(options.catalog, operation, work);
  return {
    maxEntryBytes: store.maxEntryBytes,
    recheckMs: store.recheckMs,
    lockSchema: (schema) => wrap("read the schema", () => store.lockSchema(schema)),
    append: (entry) => wrap("append", () => store.append(entry)),
    read: (from, limit) => wrap("read the log", () => store.read(from, limit)),
    checkpoint: () => wrap("read the checkpoint", () => store.checkpoint()),
    advance: (sequence) => wrap("move the checkpoint", () => store.advance(sequence)),
    apply: (entries, origin) => wrap("index entries", () => store.apply(entries, origin)),
    get: (keys) => wrap("look up records", () => store.get(keys)),
    find: (lookup) => wrap("look up records", () => store.find(lookup)),
    rebuild: (entries) => wrap("rebuild the indexes", () => store.rebuild(entries)),
    close: () => wrap("finish indexing", () => store.close()),
  };
}

const dataTables = () => optionalPackage("@azure/data-tables", () => import("@azure/data-tables"));

/** Creates a client of one table, without a request. */
export async function connectTable(options: AzureTablesOptions, tableName: string): Promise<TableClient> {
  const { TableClient: Client } = await dataTables();
  const { connectionString } = options;
  if (connectionString !== undefined) {
    return Client.fromConnectionString(connectionString, tableName, clientOptions(connectionString));
  }
  return new Client(endpointOf(options), tableName, await credentialOf(options), clientOptions());
}

/** Creates a client of the account. */
export async function connectService(options: AzureTablesOptions): Promise<TableServiceClient> {
  const { TableServiceClient: Client } = await dataTables();
  const { connectionString } = options;
  if (connectionString !== undefined) {
    return Client.fromConnectionString(connectionString, clientOptions(connectionString));
  }
  return new Client(endpointOf(options), await credentialOf(options), clientOptions());
}

function clientOptions(connectionString = ""): TableServiceClientOptions {
  // Only a local emulator is accessed without TLS.
  const emulator = /(TableEndpoint=http:\/\/(127\.0\.0\.1|localhost)[:/]|UseDevelopmentStorage=true)/i;
  return {
    allowInsecureConnection: emulator.test(connectionString),
    retryOptions: { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 2000 },
  };
}

function endpointOf({ endpoint }: AzureTablesOptions): string {
  if (endpoint !== undefined) return endpoint;
  const reason = "it requires a connectionString or an endpoint";
  throw new AgnesError("invalid_input", { what: "the connection to Azure Tables", reason });
}

async function credentialOf({ credential }: AzureTablesOptions): Promise<TokenCredential> {
  if (credential !== undefined) return credential;
  const { DefaultAzureCredential } = await optionalPackage(
    "@azure/identity",
    () => import("@azure/identity"),
  );
  return new DefaultAzureCredential();
}

async function withCatalogErrors<T>(catalog: string, operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AgnesError) throw error;
    const status = statusOf(error);
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const isTransient =
      status === undefined ? isNetwork(error, code) : status === 408 || status === 429 || status >= 500;
    const reason = [status, code || (error instanceof Error ? error.name : String(error))]
      .filter(Boolean)
      .join(" ");
    const details = { catalog, operation, reason };
    throw new AgnesError(isTransient ? "catalog_unavailable" : "catalog_storage_refused", details, {
      cause: error,
    });
  }
}

function isNetwork(error: unknown, code: string): boolean {
  const name = error instanceof Error ? error.name : "";
  return (
    name === "AbortError" || name === "RestError" || /^(E[A-Z]+|REQUEST_SEND_ERROR|PARSE_ERROR)$/.test(code)
  );
}

function checkName(name: string): string {
  if (/^[A-Za-z][A-Za-z0-9]{2,62}$/.test(name)) return name;
  throw new AgnesError("invalid_input", {
    what: `the table name "${name}"`,
    reason: "Azure allows 3 to 63 letters and digits, starting with a letter",
  });
}
