import { isAgnesError, messageOf } from "../../base/mod.ts";
import { openDatabase, quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import { partsQuery } from "../schema/view.ts";
import type { ExtractServices } from "../services.ts";
import type { ExtractState, PublishedTable } from "../state/extract-state.ts";
import { checkCount } from "../write/write-stream.ts";
import { createRemoteAttach, createTables, WHOLE_EXTRACT } from "./tables-sql.ts";

/** A quarter of a megabyte for every column of every little table would be most of the file. */
const SMALL_BLOCKS = { default_block_size: "16384" };
/** How many rows one INSERT holds. */
const INSERT_ROWS = 500;

/** What the views said when they were written. */
export interface BuiltDatabase {
  /** Remote tables without a view, and why. */
  readonly unattached: ReadonlyMap<string, string>;
}

/**
 * Writes a whole `extract.duckdb` to a path that nobody reads yet.
 *
 * @param verify tables whose views are counted against their parts
 * @throws `rows_lost`
 */
export async function buildDatabase(
  services: ExtractServices,
  path: string,
  state: ExtractState,
  verify: ReadonlySet<string>,
): Promise<BuiltDatabase> {
  await using database = await openDatabase({ path, limits: services.limits, settings: SMALL_BLOCKS });
  await using connection = await database.connect();
  for (const statement of createTables) await connection.run(statement);
  await connection.run("BEGIN");
  await insertSideTables(connection, state);
  await connection.run("COMMIT");
  for (const table of state.tables) {
    if (table.mode === "remote") continue;
    await createView(services, connection, state, table, verify.has(table.name));
  }
  const unattached = await createRemoteViews(services, connection, state);
  await connection.run("CHECKPOINT");
  return { unattached };
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

async function insertSideTables(connection: Connection, state: ExtractState): Promise<void> {
  const { generation, tables, remotes } = state;
  await insert(connection, "_generation", [
    [
      generation.number,
      generation.runId,
      generation.kind,
      generation.plugin,
      generation.pluginVersion,
      generation.startedAt,
      generation.finishedAt,
      generation.directory,
    ],
  ]);
  await insert(
    connection,
    "_meta",
    tables.map((t) => [t.name, t.description, t.rows, t.sizeBytes, t.extractedAt, t.mode]),
  );
  await insert(
    connection,
    "_parts",
    tables.flatMap((t) =>
      t.parts.map((p, ordinal) => [
        t.name,
        ordinal,
        p.path,
        p.rows,
        p.sizeBytes,
        p.sha256,
        p.schemaVersion,
        p.partition,
        p.origin,
        p.keyMin,
        p.keyMax,
        p.cursorMin,
        p.cursorMax,
      ]),
    ),
  );
  await insert(
    connection,
    "_schema",
    tables.flatMap((t) =>
      t.schemas.map((s) => [
        t.name,
        s.version,
        s.generation,
        s.changedAt,
        JSON.stringify(s.columns),
        JSON.stringify(s.sourceColumns),
        JSON.stringify(s.changes),
      ]),
    ),
  );
  await insert(connection, "_cursor", [...tables.map(cursorRow), wholeExtractRow(state)]);
  if (remotes.length === 0) return;
  await connection.run(createRemoteAttach);
  await insert(
    connection,
    "_remote_attach",
    remotes.map((r) => [r.alias, r.extension, r.url, r.tokenEnv]),
  );
}

function cursorRow(table: PublishedTable): readonly Value[] {
  return [
    table.name,
    table.cursor?.column ?? null,
    table.cursor?.value ?? null,
    table.state === undefined ? null : JSON.stringify(table.state),
    JSON.stringify(table.sourceColumns),
    table.definition,
    table.tombstones.length === 0 ? null : JSON.stringify(table.tombstones),
    null,
    table.remote === undefined ? null : JSON.stringify(table.remote),
  ];
}

function wholeExtractRow({ eventIds }: ExtractState): readonly Value[] {
  const ids = eventIds.length === 0 ? null : JSON.stringify(eventIds);
  return [WHOLE_EXTRACT, null, null, null, null, null, null, ids, null];
}

type Value = string | number | Date | null;

async function insert(
  connection: Connection,
  table: string,
  rows: readonly (readonly Value[])[],
): Promise<void> {
  for (let from = 0; from < rows.length; from += INSERT_ROWS) {
    const values = rows
      .slice(from, from + INSERT_ROWS)
      .map((row) => `(${row.map(literal).join(", ")})`)
      .join(", ");
    await connection.run(`INSERT INTO ${table} VALUES ${values}`);
  }
}

function literal(value: Value): string {
  if (value === null) return "NULL";
  if (value instanceof Date) return quoteLiteral(value.toISOString().slice(0, -1).replace("T", " "));
  return typeof value === "number" ? String(value) : quoteLiteral(value);
}

/** Views over attached databases; DuckDB writes one only while the database is attached. */
async function createRemoteViews(
  services: ExtractServices,
  connection: Connection,
  state: ExtractState,
): Promise<ReadonlyMap<string, string>> {
  const unattached = new Map<string, string>();
  const failures = new Map<string, string | null>();
  for (const info of state.remotes) failures.set(info.alias, await attach(connection, info));
  for (const { name, remote } of state.tables) {
    if (remote === undefined) continue;
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

/** Attaches a database that needs no token; gives the reason when it cannot be. */
async function attach(connection: Connection, info: RemoteAttachInfo): Promise<string | null> {
  if (info.extension !== "duckdb") {
    // Whether an extension may be loaded, and be given a token, is decided where it is queried.
    return `the extension ${info.extension} is attached when it is queried, not when it is extracted`;
  }
  try {
    await connection.run(`ATTACH ${quoteLiteral(info.url)} AS ${quoteIdentifier(info.alias)} (READ_ONLY)`);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}
