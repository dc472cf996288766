import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../schema/column.ts";
import { readParquet } from "../schema/select.ts";

/** Types of at most 64 bits: DuckDB's hash of them is one to one. */
const PLAIN =
  /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ|DECIMAL\((\d|1[0-8]), ?\d+\))$/;
const FLOATING = /^(FLOAT|DOUBLE)$/;

/**
 * What the rows of groups of files amount to, whatever their order, as a text for each group.
 *
 * Two sums of 64-bit hashes over all columns, so a row that comes twice counts twice. The hashes differ in what they
 * take of a column: -0.0 equals 0.0 to DuckDB, 1 month 30 days, and of long values one hash alone is short; so the second
 * takes their texts.
 */
export async function fingerprints(
  connection: Connection,
  groups: readonly (readonly string[])[],
  columns: readonly PublishedColumn[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const figures = `count(*) AS n, ${sumOf(columns.flatMap(plainly))} AS a, ${sumOf(["'agnes'", ...columns.flatMap(exactly)])} AS b`;
  const [only, ...others] = groups;
  if (only !== undefined && others.length === 0) {
    const rows = await connection.rows<Figures>(`SELECT ${figures} FROM ${readParquet(only)}`, { signal });
    return rows.map(textOf);
  }
  const places = groups.flatMap((paths, at) => paths.map((path) => `(${quoteLiteral(path)}, ${at})`));
  const rows = await connection.rows<Figures & { readonly place: number }>(
    `SELECT agnes_place AS place, ${figures} FROM ${readParquet(groups.flat(), ", filename='agnes_file'")}
     JOIN (VALUES ${places.join(", ")}) AS places(agnes_path, agnes_place) ON agnes_file = agnes_path GROUP BY ALL`,
    { signal },
  );
  const found = new Map(rows.map((row) => [row.place, textOf(row)]));
  return groups.map((_, at) => found.get(at) ?? "0");
}

interface Figures {
  readonly n: bigint;
  readonly a: string | null;
  readonly b: string | null;
}

function textOf({ n, a, b }: Figures): string {
  return n === 0n ? "0" : `${n}:${a}:${b}`;
}

function sumOf(values: readonly string[]): string {
  return `CAST(sum(hash(${values.join(", ")})) AS VARCHAR)`;
}

function plainly({ name, type }: PublishedColumn): readonly string[] {
  const column = quoteIdentifier(name);
  return FLOATING.test(type) ? [column, `signbit(${column})`] : [column];
}

function exactly({ name, type }: PublishedColumn): readonly string[] {
  const column = quoteIdentifier(name);
  if (FLOATING.test(type)) return [`signbit(${column})`, column];
  return PLAIN.test(type) ? [column] : [`'_' || CAST(${column} AS VARCHAR)`];
}
