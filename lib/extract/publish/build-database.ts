import { isAgnesError, messageOf } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection, type Database } from "../../duckdb/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import { partsQuery } from "../schema/view.ts";
import type { ExtractServices } from "../job/services.ts";
import type { ExtractState, PublishedTable } from "../format/extract-state.ts";
import { checkCount } from "../write/write-part.ts";
import { writeState } from "../format/write-state.ts";

/** A quarter of a megabyte for every column of every little table would be most of the file. */
const BLOCK_SIZE_BYTES = 16_384;

/** What the views said when they were written. */
export interface BuiltDatabase {
  /** Tables of DuckDB files without a view, and why. Those that an extension attaches never have one. */
  readonly unattached: ReadonlyMap<string, string>;
}

/**
 * Writes a whole `extract.duckdb` to a path that nobody reads yet.
 *
 * @param database the one of the run, which is open already: opening another takes longer than writing it
 * @param verify tables whose views are counted against their parts
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
  await connection.run(`ATTACH ${quoteLiteral(path)} AS ${extract} (BLOCK_SIZE ${BLOCK_SIZE_BYTES})`);
  try {
    // To try every compression on columns of a few values takes twice as long as to write them.
    await connection.run(`USE ${extract}; SET force_compression = 'uncompressed'`);
    await connection.run(["BEGIN", ...writeState(state), "COMMIT"].join(";\n"));
    for (const table of state.tables) {
      if (table.mode === "remote") continue;
      await createView(services, connection, state, table, verify.has(table.name));
    }
    const unattached = await createRemoteViews(services, connection, state);
    await connection.run(`CHECKPOINT ${extract}`);
    await leave();
    return { unattached };
  } catch (error) {
    await leave().catch(() => {});
    throw error;
  }
}

/** A name that none of the databases has which the views are over. */
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
    // A table that is only carried forward and whose parts someone removed must not keep the others from being
    // published; its next read is a full one.
    if (verify || isAgnesError(error, "disk_full")) throw error;
    services.log.error("a table carried forward cannot be read", { table: table.name, error });
    return;
  }
  if (!verify) return;
  const [counted] = await connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${view}`);
  checkCount(table.name, table.rows, Number(counted?.n), "its view");
}

/** Views over attached databases; DuckDB writes one only while the database is attached. */
async function createRemoteViews(
  services: ExtractServices,
  connection: Connection,
  state: ExtractState,
): Promise<ReadonlyMap<string, string>> {
  const unattached = new Map<string, string>();
  const failures = new Map<string, string | null>();
  // Whether an extension may be loaded, and be given a token, is decided where it is queried.
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
      services.log.info("a remote table has no view of its own; it is answered through its connector", {
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

/** Attaches a DuckDB file; gives the reason when it cannot be. */
async function attach(connection: Connection, info: RemoteAttachInfo): Promise<string | null> {
  try {
    await connection.run(`ATTACH ${quoteLiteral(info.url)} AS ${quoteIdentifier(info.alias)} (READ_ONLY)`);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
