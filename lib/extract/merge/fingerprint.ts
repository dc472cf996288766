import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import { readParquet } from "../schema/select.ts";

/** Types whose distinct values always have distinct inputs to DuckDB's hash. */
const HASHED =
  /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ|DECIMAL\(\d+, ?\d+\)|VARCHAR|BLOB)$/;
const FLOATING = /^(FLOAT|DOUBLE)$/;

/** A row count and the sum of the row hashes. It depends on how often a row occurs, but not on the order of rows. */
export interface RowsHash {
  readonly rows: number;
  readonly sum: bigint;
}

/**
 * Returns the SQL of a 64-bit hash over all stored columns of a row.
 *
 * DuckDB hashes -0.0 like 0.0, and nested lists like their items, so the sign and the text are hashed too.
 */
export function rowHash(columns: readonly PublishedColumn[]): string {
  return `hash(${columns.flatMap(exactly).join(", ")})`;
}

/** Reads groups of Parquet files and returns their row counts and hashes. */
export async function hashFiles(
  connection: Connection,
  groups: readonly (readonly string[])[],
  columns: readonly PublishedColumn[],
  signal: AbortSignal,
): Promise<readonly RowsHash[]> {
  const figures = `count(*) AS n, CAST(sum(${rowHash(columns)}) AS VARCHAR) AS total`;
  const [only, ...others] = groups;
  if (only !== undefined && others.length === 0) {
    const rows = await connection.rows<Figures>(`SELECT ${figures} FROM ${readParquet(only)}`, { signal });
    return rows.map(hashOf);
  }
  const places = groups.flatMap((paths, at) => paths.map((path) => `(${quoteLiteral(path)}, ${at})`));
  const rows = await connection.rows<Figures & { readonly place: number }>(
    `SELECT agnes_place AS place, ${figures} FROM ${readParquet(groups.flat(), ", filename='agnes_file'")}
     JOIN (VALUES ${places.join(", ")}) AS places(agnes_path, agnes_place) ON agnes_file = agnes_path GROUP BY ALL`,
    { signal },
  );
  const found = new Map(rows.map((row) => [row.place, hashOf(row)]));
  return groups.map((_, at) => found.get(at) ?? { rows: 0, sum: 0n });
}

interface Figures {
  readonly n: bigint;
  readonly total: string | null;
}

function hashOf({ n, total }: Figures): RowsHash {
  return { rows: Number(n), sum: BigInt(total ?? 0) };
}

/** Adds the hashes of several groups of rows. */
export function addHashes(hashes: readonly RowsHash[]): RowsHash {
  const add = (a: RowsHash, b: RowsHash) => ({ rows: a.rows + b.rows, sum: a.sum + b.sum });
  return hashes.reduce(add, { rows: 0, sum: 0n });
}

/** Formats the hashes of the groups of a table as its content fingerprint. */
export function fingerprintOf(hashes: readonly RowsHash[]): string {
  return hashes.map(({ rows, sum }) => `${rows}:${sum}`).join(" ");
}

/** Prefix of a fingerprint of rows that the last read changed. */
const CHANGED = "changed ";

/**
 * Returns the fingerprint of rows that replaced others. Undefined if the previous read changed the table too, because
 * hashing a table that keeps changing has no benefit.
 */
export function fingerprintAfterChange(
  previous: string | undefined,
  hashes: readonly RowsHash[] | null,
): string | undefined {
  if (hashes === null || hashes.length === 0 || previous === undefined) return undefined;
  return previous.startsWith(CHANGED) ? undefined : `${CHANGED}${fingerprintOf(hashes)}`;
}

/** Parses a result of `fingerprintOf`; null if it is malformed or has another number of groups. */
export function parseFingerprint(text: string | undefined, groups: number): readonly RowsHash[] | null {
  const found =
    text
      ?.replace(CHANGED, "")
      .split(" ")
      .map((each) => /^(\d+):(\d+)$/.exec(each)) ?? [];
  if (found.length !== groups || found.includes(null)) return null;
  return found.map((each) => ({ rows: Number(each![1]), sum: BigInt(each![2]!) }));
}

function exactly({ name, type }: PublishedColumn): readonly string[] {
  const column = quoteIdentifier(name);
  if (HASHED.test(type)) return [column];
  return [column, FLOATING.test(type) ? `signbit(${column})` : `CAST(${column} AS VARCHAR)`];
}
