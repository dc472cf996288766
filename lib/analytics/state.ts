import type { Connection } from "../duckdb/mod.ts";
import { quoteIdentifier, quoteLiteral } from "../duckdb/mod.ts";
import {
  STATE_SCHEMA,
  tableId,
  type AnalyticsSource,
  type AnalyticsState,
  type AnalyticsTable,
  type RemoteDatabase,
} from "./model.ts";

/** The format version. A file with another version is rebuilt from scratch. */
const FORMAT = 2;

/** The reason in `analytics_unreadable` for a file of another format version. */
export const OTHER_FORMAT_REASON = "it was written by another version of Agnes";

/** Reads the metadata of a file; null if it has another format. @param catalog the name under which it is attached */
export async function readAnalyticsState(
  connection: Connection,
  catalog: string,
): Promise<AnalyticsState | null> {
  const prefix = prefixOf(catalog);
  const [state] = await connection.rows<{ format: number; generation: bigint }>(
    `SELECT format, generation FROM ${prefix}.state`,
  );
  if (state?.format !== FORMAT) return null;
  const sources = await connection.rows<{ body: string }>(`SELECT body FROM ${prefix}.sources ORDER BY id`);
  const tables = await connection.rows<{ body: string }>(`SELECT body FROM ${prefix}.tables ORDER BY id`);
  return {
    generation: Number(state.generation),
    sources: sources.map(({ body }) => withPlans(JSON.parse(body) as AnalyticsSource)),
    tables: tables.map(({ body }) => withAccessMode(JSON.parse(body) as AnalyticsTable)),
  };
}

/** An earlier version stored no attach plans; the next rebuild creates them. */
function withPlans(stored: Omit<AnalyticsSource, "strange"> & Partial<AnalyticsSource>): AnalyticsSource {
  const source = { strange: "", ...stored };
  const isPlanned = source.remotes.every(({ plan }: Partial<RemoteDatabase>) => plan !== undefined);
  return isPlanned ? source : { ...source, remotes: [], fingerprint: "" };
}

/** The access mode of a table was called `way` in an earlier version. */
function withAccessMode(
  stored: AnalyticsTable & { readonly way?: AnalyticsTable["accessMode"] },
): AnalyticsTable {
  const { way, ...table } = stored;
  return way === undefined ? table : { ...table, accessMode: way };
}

/** Returns the statements that change `previous` to `next`; none if they differ only in the generation. */
export function stateStatements(
  catalog: string,
  previous: AnalyticsState | null,
  next: Pick<AnalyticsState, "sources" | "tables">,
): readonly string[] {
  const prefix = prefixOf(catalog);
  return [
    ...difference(
      `${prefix}.sources`,
      rowsOf(previous?.sources ?? [], (s) => s.source),
      rowsOf(next.sources, (s) => s.source),
    ),
    ...difference(`${prefix}.tables`, rowsOf(previous?.tables ?? [], tableId), rowsOf(next.tables, tableId)),
  ];
}

/** Returns the statements that create the tables of a new file. */
export function createState(catalog: string): string {
  const prefix = prefixOf(catalog);
  return `CREATE SCHEMA ${prefix};
    CREATE TABLE ${prefix}.state (format INTEGER, generation BIGINT, built_at TIMESTAMP);
    CREATE TABLE ${prefix}.sources (id VARCHAR, body VARCHAR);
    CREATE TABLE ${prefix}.tables (id VARCHAR, body VARCHAR);`;
}

/** Returns the statements that store the generation and the time of the build. */
export function stampState(catalog: string, generation: number, builtAt: Date): string {
  const prefix = prefixOf(catalog);
  return `DELETE FROM ${prefix}.state;
    INSERT INTO ${prefix}.state VALUES (${FORMAT}, ${generation}, ${quoteLiteral(builtAt.toISOString())}::TIMESTAMP);`;
}

/** The maximum number of rows per statement. */
const ROWS = 500;

function difference(
  table: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly string[] {
  const gone = [...before.keys()].filter((id) => before.get(id) !== after.get(id));
  const come = [...after].filter(([id, body]) => before.get(id) !== body);
  return [
    ...chunks(gone).map((ids) => `DELETE FROM ${table} WHERE id IN (${ids.map(quoteLiteral).join(", ")})`),
    ...chunks(come).map(
      (rows) =>
        `INSERT INTO ${table} VALUES ${rows.map(([id, body]) => `(${quoteLiteral(id)}, ${quoteLiteral(body)})`).join(", ")}`,
    ),
  ];
}

function rowsOf<T>(values: readonly T[], id: (value: T) => string): ReadonlyMap<string, string> {
  return new Map(values.map((value) => [id(value), JSON.stringify(value)]));
}

function chunks<T>(values: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(values.length / ROWS) }, (_, index) =>
    values.slice(index * ROWS, (index + 1) * ROWS),
  );
}

function prefixOf(catalog: string): string {
  return `${quoteIdentifier(catalog)}.${quoteIdentifier(STATE_SCHEMA)}`;
}
