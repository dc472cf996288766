import { isAgnesError, messageOf } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection, type Database } from "../../duckdb/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import { partsQuery } from "../schema/view.ts";
import type { ExtractServices } from "../job/services.ts";
import type { ExtractState, PublishedTable } from "../format/extract-state.ts";
import { checkCount } from "../write/write-part.ts";
import { writeState } from "../format/write-state.ts";

/** Small blocks, because the default of 256 KB for each column of each small table would dominate the file size. */
const BLOCK_SIZE_BYTES = 16_384;

/** After a crash, nothing refers to the temporary file, so each commit would sync its log for nothing. */
const WITHOUT_LOG = "RECOVERY_MODE no_wal_writes";
/** These statements wait for the disk, while a thread of the pool would spin. */
const WAITING = { inBackground: true };

/** The result of building a database. */
export interface BuiltDatabase {
  /** Remote tables of DuckDB files without a view, with the reason. Tables attached by extensions never have a view. */
  readonly unattached: ReadonlyMap<string, string>;
}

/**
 * Writes a complete `extract.duckdb` to a temporary path.
 *
 * @param database the open database of the run; opening another one takes longer than writing the file
 * @param verify names of the tables to check by counting the rows of their views
 * @throws `rows_lost`
 */
export async function buildDatabase(
  services: ExtractServices,
  database: Database,
  path: string,
  state: ExtractState,
  verify: ReadonlySet<string>,
): Promise<BuiltDatabase> {
  await using connection = await database.connect();
  const extract = quoteIdentifier(freeAlias(state));
  const leave = () => connection.run(`USE memory; DETACH ${extract}; RESET force_compression`);
  await connection.run(
    `ATTACH ${quoteLiteral(path)} AS ${extract} (BLOCK_SIZE ${BLOCK_SIZE_BYTES}, ${WITHOUT_LOG})`,
    WAITING,
  );
  try {
    // Trying all compression methods on a few values doubles the time to write them.
    await connection.run(`USE ${extract}; SET force_compression = 'uncompressed'`);
    await connection.run(["BEGIN", ...writeState(state), "COMMIT"].join(";\n"));
    for (const table of state.tables) {
      if (table.mode === "remote") continue;
      await createView(services, connection, state, table, verify.has(table.name));
    }
    const unattached = await createRemoteViews(services, connection, state);
    await connection.run(`CHECKPOINT ${extract}`, WAITING);
    await leave();
    return { unattached };
  } catch (error) {
    await leave().catch(() => {});
    throw error;
  }
}

/** Returns an alias that no attached remote database has. */
function freeAlias({ remotes }: ExtractState): string {
  const taken = new Set(remotes.map(({ alias }) => alias.toLowerCase()));
  let alias = "extract";
  while (taken.has(alias)) alias += "_";
  return alias;
}

async function createView(
  services: ExtractServices,
  connection: Connection,
  state: ExtractState,
  table: PublishedTable,
  verify: boolean,
): Promise<void> {
  const view = quoteIdentifier(table.name);
  const query = partsQuery(state.directory, table.parts, table.columns, table.schemas);
  try {
    await connection.run(`CREATE VIEW ${view} AS ${query}`);
  } catch (error) {
    // Missing parts of a table that was not read must not prevent publishing the others. Its next read is a full one.
    if (verify || isAgnesError(error, "disk_full")) throw error;
    services.log.error("a table carried forward cannot be read", { table: table.name, error });
    return;
  }
  if (!verify) return;
  const [counted] = await connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${view}`);
  checkCount(table.name, table.rows, Number(counted?.n), "its view");
}

/** Creates views over remote databases. DuckDB can create them only while the database is attached. */
async function createRemoteViews(
  services: ExtractServices,
  connection: Connection,
  state: ExtractState,
): Promise<ReadonlyMap<string, string>> {
  const unattached = new Map<string, string>();
  const failures = new Map<string, string | null>();
  // Extensions are not loaded here, because they need permission and a token.
  const files = state.remotes.filter((info) => info.extension === "duckdb");
  for (const info of files) failures.set(info.alias, await attach(connection, info));
  for (const { name, remote } of state.tables) {
    if (remote === undefined || !failures.has(remote.alias)) continue;
    const reason = failures.get(remote.alias) ?? null;
    try {
      if (reason !== null) throw new Error(reason);
      const from = [remote.alias, ...remote.path].map(quoteIdentifier).join(".");
      await connection.run(`CREATE VIEW ${quoteIdentifier(name)} AS SELECT * FROM ${from}`);
    } catch (error) {
      unattached.set(name, messageOf(error));
      services.log.info("a remote table has no view in extract.duckdb; queries go through its connector", {
        table: name,
        reason: messageOf(error),
      });
    }
  }
  for (const [alias, reason] of failures) {
    if (reason === null) await connection.run(`DETACH ${quoteIdentifier(alias)}`);
  }
  return unattached;
}

/** Attaches a DuckDB file. Returns the reason if that fails, or else null. */
async function attach(connection: Connection, info: RemoteAttachInfo): Promise<string | null> {
  try {
    await connection.run(`ATTACH ${quoteLiteral(info.url)} AS ${quoteIdentifier(info.alias)} (READ_ONLY)`);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
