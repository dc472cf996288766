import * as v from "valibot";

import type { Connection } from "../../duckdb/mod.ts";
import { extractTables } from "../../extract/format/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import type { Issue, RemotePlace } from "../model.ts";
import type { ExtractCatalog, ObjectTable } from "./objects.ts";

/** The content of the metadata tables other than `_meta`. */
export interface SideTables {
  readonly remotes: readonly RemoteAttachInfo[];
  /** The facts of an extract of Agnes; null for an extract of another program. */
  readonly own: OwnFacts | null;
  readonly issues: readonly Issue[];
}

/** See `SideTables.own`. */
export interface OwnFacts {
  readonly generation: number;
  /** The folder in which the extract was written. */
  readonly directory: string;
  readonly tables: ReadonlyMap<string, OwnTable>;
}

/** The facts of one table in an extract of Agnes. */
interface OwnTable {
  readonly sourceColumns: readonly { readonly name: string; readonly type: string }[] | null;
  readonly remote: RemotePlace | null;
}

const REMOTE_ATTACH = extractTables.remoteAttach.name;
const REMOTES_MAX = 100;
const TEXT_LENGTH_MAX = 4096;

/** Reads `_remote_attach`, `_generation` and `_cursor`, if they match the contract. */
export async function readSideTables(
  connection: Connection,
  source: string,
  { objects, from, signal }: SideRequest,
): Promise<SideTables> {
  const issues: Issue[] = [];
  const note = (reason: string) => void issues.push({ kind: "skipped", name: source, reason });
  const remotes = await readRemotes(connection, { objects, from, signal }, note);
  const own = await readOwn(connection, { objects, from, signal }, note);
  return { remotes, own, issues };
}

/** The place of the tables. */
export interface SideRequest {
  readonly objects: ExtractCatalog;
  /** The quoted name of a table of the extract. */
  readonly from: (table: string) => string;
  readonly signal: AbortSignal;
}

async function readRemotes(
  connection: Connection,
  { objects, from, signal }: SideRequest,
  note: (reason: string) => void,
): Promise<readonly RemoteAttachInfo[]> {
  const table = objects.tables.get(REMOTE_ATTACH);
  if (table === undefined) {
    if (objects.views.has(REMOTE_ATTACH)) note("its _remote_attach is a view and is ignored");
    return [];
  }
  if (!isPlain(table, { alias: TEXT, extension: TEXT, url: TEXT })) {
    note("its _remote_attach lacks the text columns alias, extension and url and is ignored");
    return [];
  }
  const hasToken = isPlain(table, { token_env: TEXT });
  const token = hasToken ? `left(token_env, ${TEXT_LENGTH_MAX})` : "NULL";
  const rows = await connection.rows<Record<"alias" | "extension" | "url" | "tokenEnv", string | null>>(
    `SELECT left(alias, ${TEXT_LENGTH_MAX}) AS alias, left(extension, ${TEXT_LENGTH_MAX}) AS extension,
       left(url, ${TEXT_LENGTH_MAX}) AS url, coalesce(${token}, '') AS "tokenEnv"
     FROM ${from(table.name)} LIMIT ${REMOTES_MAX + 1}`,
    { signal },
  );
  if (rows.length > REMOTES_MAX) {
    note(`its _remote_attach has more than ${REMOTES_MAX} rows and is ignored`);
    return [];
  }
  const remotes = new Map<string, RemoteAttachInfo>();
  for (const { alias, extension, url, tokenEnv } of rows) {
    if (alias === null || extension === null || url === null)
      note("a row of its _remote_attach contains NULL");
    else if (remotes.has(alias.toLowerCase()))
      note("its _remote_attach contains an alias twice; the first row is used");
    else remotes.set(alias.toLowerCase(), { alias, extension, url, tokenEnv: tokenEnv ?? "" });
  }
  return [...remotes.values()];
}

async function readOwn(
  connection: Connection,
  { objects, from, signal }: SideRequest,
  note: (reason: string) => void,
): Promise<OwnFacts | null> {
  const generations = objects.tables.get(extractTables.generation.name);
  const cursors = objects.tables.get(extractTables.cursor.name);
  if (generations === undefined || cursors === undefined) return null;
  const isOurs =
    isPlain(generations, { number: WHOLE, directory: TEXT }) &&
    isPlain(cursors, { table_name: TEXT, source_columns: TEXT, remote: TEXT });
  const [generation] = isOurs
    ? await connection.rows<{ number: bigint | null; directory: string | null }>(
        `SELECT TRY_CAST(number AS BIGINT) AS number, directory FROM ${from(generations.name)} LIMIT 1`,
        { signal },
      )
    : [];
  if (generation === undefined || generation.number === null || generation.directory === null) {
    note(
      "its _generation and _cursor do not match the contract; it is read as an extract of another program",
    );
    return null;
  }
  const rows = await connection.rows<Record<"table_name" | "source_columns" | "remote", string | null>>(
    `SELECT table_name, source_columns, remote FROM ${from(cursors.name)}`,
    { signal },
  );
  const tables = rows.map(({ table_name: name, source_columns: columns, remote }): [string, OwnTable] => [
    name ?? "",
    { sourceColumns: parsed(columnsSchema, columns), remote: parsed(placeSchema, remote) },
  ]);
  return { generation: Number(generation.number), directory: generation.directory, tables: new Map(tables) };
}

const TEXT = /^VARCHAR$/;
const WHOLE = /^(?:INTEGER|BIGINT)$/;

const columnsSchema = v.array(v.object({ name: v.string(), type: v.string() }));
const placeSchema = v.object({ alias: v.string(), path: v.array(v.string()) });

/** Whether a table has these columns and no generated ones. */
function isPlain(table: ObjectTable, columns: Readonly<Record<string, RegExp>>): boolean {
  if (table.mayCompute) return false;
  return Object.entries(columns).every(([name, type]) =>
    table.columns.some((column) => column.name.toLowerCase() === name && type.test(column.type)),
  );
}

/** Parses JSON; null if it is missing or does not match the schema. */
function parsed<T>(schema: v.GenericSchema<unknown, T>, text: string | null): T | null {
  if (text === null) return null;
  try {
    const checked = v.safeParse(schema, JSON.parse(text));
    return checked.success ? checked.output : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
