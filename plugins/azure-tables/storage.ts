import type { TableClient, TableServiceClient, TableServiceClientOptions } from "@azure/data-tables";
import type { CatalogStorage, CatalogStore } from "agnes/catalog";
import { AgnesError, optionalPackage } from "agnes/kit";

import { clientGateway, statusOf, type TableGateway } from "./gateway.ts";
import { refusePythonCatalog } from "./python-detect.ts";
import { AzureStore } from "./store.ts";

/** How to reach the account, and which tables to use. */
export interface AzureTablesOptions {
  /** A connection string of the storage account. Give this, or `endpoint`. */
  readonly connectionString?: string;
  /** The table endpoint, `https://ACCOUNT.table.core.windows.net`, together with `credential`. */
  readonly endpoint?: string;
  /** Any token credential of the official identity library. Default: its `DefaultAzureCredential`. */
  readonly credential?: TokenCredential;
  /** The table of the indexes; letters and digits, 3 to 63. Default `AgnesCatalog`. */
  readonly table?: string;
  /** The table of the write-ahead logs. Default: the table's name with `Wal` after it. */
  readonly logTable?: string;
  /** How long lookups may miss what a writer that died left unindexed. Default 1,000. */
  readonly recheckMs?: number;
  /** How long one request may take. Default 8,000. */
  readonly requestTimeoutMs?: number;
}

/** A token credential, as the official identity library makes them. */
export interface TokenCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/**
 * Catalogs in Azure Tables, for any number of machines. Several catalogs may share the two tables.
 *
 * Importing does nothing; the client is loaded when the first catalog is opened.
 *
 * @throws (opening) `catalog_foreign`, `invalid_input`, `catalog_storage_refused`, `catalog_unavailable`
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
  // A longer timer would fire at once.
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
      explained(catalog, "open", async () => {
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

/** The two tables of a storage. */
interface Connected {
  readonly clients: readonly TableClient[];
  readonly table: TableGateway;
  readonly log: TableGateway;
}

/** All entities of the two tables, as the service's own JSON has them. Nothing is made. */
export async function entitiesOf(
  options: AzureTablesOptions,
): Promise<Record<"table" | "log", () => Entities>> {
  const table = checkName(options.table ?? "AgnesCatalog");
  const names = [table, checkName(options.logTable ?? `${table}Wal`)];
  const [indexes, log] = await Promise.all(names.map((name) => connectTable(options, name)));
  return { table: () => rawEntities(indexes!), log: () => rawEntities(log!) };
}

type Entities = AsyncIterable<Readonly<Record<string, unknown>>>;

/** The client itself gives some properties other names, so that one called `timestamp` would be lost. */
async function* rawEntities(client: TableClient): Entities {
  let body = "";
  const onResponse = (response: { readonly bodyAsText?: string | null }) => {
    body = response.bodyAsText ?? "";
  };
  const pages = client.listEntities({ onResponse }).byPage();
  for (;;) {
    const next = await explained(client.tableName, "read the entities", () => pages.next());
    if (next.done === true) return;
    yield* (JSON.parse(body) as { readonly value: readonly Readonly<Record<string, unknown>>[] }).value;
  }
}

/** A store whose failures are Agnes's own. */
export function azureStore(options: ConstructorParameters<typeof AzureStore>[0]): CatalogStore {
  const store = new AzureStore(options);
  const explain = <T>(operation: string, work: () => Promise<T>) =>
    explained(options.catalog, operation, work);
  return {
    entrySizeBytesMax: store.entrySizeBytesMax,
    recheckMs: store.recheckMs,
    lockSchema: (schema) => explain("read the schema", () => store.lockSchema(schema)),
    append: (entry) => explain("append", () => store.append(entry)),
    read: (from, limit) => explain("read the log", () => store.read(from, limit)),
    checkpoint: () => explain("read the checkpoint", () => store.checkpoint()),
    advance: (sequence) => explain("move the checkpoint", () => store.advance(sequence)),
    apply: (entries, origin) => explain("index entries", () => store.apply(entries, origin)),
    get: (keys) => explain("look up records", () => store.get(keys)),
    find: (lookup) => explain("look up records", () => store.find(lookup)),
    rebuild: (entries) => explain("rebuild the indexes", () => store.rebuild(entries)),
    close: () => explain("finish indexing", () => store.close()),
  };
}

const dataTables = () => optionalPackage("@azure/data-tables", () => import("@azure/data-tables"));

/** A client of one table; the service need not be reachable yet. */
export async function connectTable(options: AzureTablesOptions, tableName: string): Promise<TableClient> {
  const { TableClient: Client } = await dataTables();
  const { connectionString } = options;
  if (connectionString !== undefined) {
    return Client.fromConnectionString(connectionString, tableName, clientOptions(connectionString));
  }
  return new Client(endpointOf(options), tableName, await credentialOf(options), clientOptions());
}

/** A client of the account. */
export async function connectService(options: AzureTablesOptions): Promise<TableServiceClient> {
  const { TableServiceClient: Client } = await dataTables();
  const { connectionString } = options;
  if (connectionString !== undefined) {
    return Client.fromConnectionString(connectionString, clientOptions(connectionString));
  }
  return new Client(endpointOf(options), await credentialOf(options), clientOptions());
}

function clientOptions(connectionString = ""): TableServiceClientOptions {
  // The emulator on this machine, and nothing else, is spoken to without TLS.
  const emulator = /(TableEndpoint=http:\/\/(127\.0\.0\.1|localhost)[:/]|UseDevelopmentStorage=true)/i;
  return {
    allowInsecureConnection: emulator.test(connectionString),
    retryOptions: { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 2000 },
  };
}

function endpointOf({ endpoint }: AzureTablesOptions): string {
  if (endpoint !== undefined) return endpoint;
  const reason = "it needs a connectionString, or an endpoint";
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

async function explained<T>(catalog: string, operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AgnesError) throw error;
    const status = statusOf(error);
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const passing =
      status === undefined ? isNetwork(error, code) : status === 408 || status === 429 || status >= 500;
    const reason = [status, code || (error instanceof Error ? error.name : String(error))]
      .filter(Boolean)
      .join(" ");
    const details = { catalog, operation, reason };
    throw new AgnesError(passing ? "catalog_unavailable" : "catalog_storage_refused", details, {
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
    reason: "Azure allows letters and digits, a letter first, 3 to 63 of them",
  });
}
