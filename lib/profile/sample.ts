import type { Connection } from "../duckdb/mod.ts";
import { plainTime } from "./pass.ts";
import { numberOf } from "./values.ts";
import { isWhole, type ProfiledColumn } from "./columns.ts";
import type { Histogram } from "./types.ts";

const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];
const BINS = 15;
const TOP_VALUES = 10;
const QUARTERS = 200;

/** The most values of a column of which one may be an imbalance. */
export const BALANCED_MAX = 50;

/** A value of a column as text, and how often it occurs in the sample. */
interface CountedValue {
  readonly value: string;
  readonly count: number;
}

/** What the sample shows of a column. */
export interface SampledColumn {
  /** The values that are not null. */
  readonly filled: number;
  /** The different values. */
  readonly different: number;
  /** The most frequent values first; some values for a number or date with many different ones. */
  readonly values: readonly CountedValue[];
  /** For numbers: the percentiles 5, 25, 50, 75 and 95, if there are any. */
  readonly quantiles?: readonly (number | null)[];
  readonly histogram?: Histogram;
}

/** The exact range of a column of numbers. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Reads the temporary table `sample`. @param ranges the range of each column of numbers; null: it has none */
export async function readSample(
  connection: Connection,
  columns: readonly ProfiledColumn[],
  ranges: readonly (Range | null)[],
): Promise<readonly SampledColumn[]> {
  const edges = ranges.map((range, at) => (range === null ? null : edgesOf(range, isWhole(columns[at]!))));
  const fields = columns.map((column, at) => [
    `count(c${at}) AS filled${at}`,
    `count(DISTINCT ${column.category === "STRING" ? "h" : "c"}${at}) AS different${at}`,
    ...(edges[at] == null ? [] : numeric(column, at, edges[at])),
  ]);
  const [read] = await connection.rows(`SELECT ${fields.flat().join(", ")} FROM sample`);
  const row = read!;
  const sampled: SampledColumn[] = [];
  for (const [at, column] of columns.entries()) {
    const filled = Number(row[`filled${at}`]);
    const different = Number(row[`different${at}`]);
    const values = await valuesOf(connection, column, { at, filled, different });
    const isTime = column.category === "DATE" || column.category === "TIMESTAMP";
    sampled.push({
      filled,
      different,
      values,
      ...(edges[at] != null && numericResult(row, at, edges[at])),
      ...(isTime && { histogram: await quarters(connection, column, at) }),
    });
  }
  return sampled;
}

/**
 * The edges of intervals of equal width; the first and last one are exactly the minimum and maximum. Those of whole numbers
 * are whole, so that the widths may differ by one.
 */
function edgesOf({ low, high }: Range, areWhole: boolean): readonly number[] {
  if (low === high) return [low, high];
  const edges = [low];
  const width = high - low;
  const bins = areWhole ? Math.min(BINS, width) : BINS;
  for (let at = 1; at < bins; at++) {
    // The difference of two large numbers may be out of range.
    const exact = Number.isFinite(width)
      ? low + (width * at) / bins
      : low * ((bins - at) / bins) + high * (at / bins);
    const edge = areWhole ? Math.round(exact) : exact;
    edges.push(Math.min(high, Math.max(edges.at(-1)!, edge)));
  }
  return [...edges, high];
}

function numeric(column: ProfiledColumn, at: number, edges: readonly number[]): readonly string[] {
  const finite = column.mayBeInfinite ? `CASE WHEN isfinite(c${at}) THEN c${at} END` : `c${at}`;
  const value = `CAST(${finite} AS DOUBLE)`;
  const below = edges
    .slice(1, -1)
    .map((edge, bin) => `count_if(${value} < CAST('${edge}' AS DOUBLE)) AS below${at}_${bin}`);
  return [
    `quantile_cont(${value}, [${QUANTILES.join(", ")}]) AS quantiles${at}`,
    `count(${value}) AS numbers${at}`,
    ...below,
  ];
}

function numericResult(row: Readonly<Record<string, unknown>>, at: number, edges: readonly number[]) {
  const below = edges.slice(1, -1).map((_, bin) => Number(row[`below${at}_${bin}`]));
  const upTo = [...below, Number(row[`numbers${at}`])];
  const quantiles = (row[`quantiles${at}`] ?? []) as readonly (number | null)[];
  return {
    quantiles: quantiles.map(numberOf),
    histogram: { bins: edges, counts: upTo.map((count, bin) => count - (upTo[bin - 1] ?? 0)) },
  };
}

async function valuesOf(
  connection: Connection,
  { category }: ProfiledColumn,
  { at, filled, different }: { readonly at: number; readonly filled: number; readonly different: number },
): Promise<readonly CountedValue[]> {
  const value = `CAST(c${at} AS VARCHAR)`;
  const isText = category === "STRING";
  const rows = await connection.rows<{ value: string; count: bigint }>(
    different === filled || (!isText && different > BALANCED_MAX)
      ? `SELECT DISTINCT ${value} AS value, 1 AS count FROM (FROM sample WHERE c${at} IS NOT NULL
         ${isText ? `ORDER BY c${at}` : ""} LIMIT ${TOP_VALUES}) ORDER BY value`
      : `SELECT value, count FROM (SELECT ${isText ? "any_value" : ""}(c${at}) AS first, count(*) AS count FROM sample
         WHERE c${at} IS NOT NULL GROUP BY ${isText ? `h${at}` : `c${at}`} ORDER BY count DESC, first LIMIT ${TOP_VALUES}),
         LATERAL (SELECT CAST(first AS VARCHAR) AS value) ORDER BY count DESC, first`,
  );
  return rows.map((row) => ({ value: row.value, count: Number(row.count) }));
}

async function quarters(connection: Connection, column: ProfiledColumn, at: number): Promise<Histogram> {
  const time = plainTime(column, `c${at}`);
  const rows = await connection.rows<{ year: bigint; quarter: bigint; count: bigint }>(
    `SELECT year(${time}) AS year, quarter(${time}) AS quarter, count(*) AS count FROM sample
     WHERE isfinite(c${at}) GROUP BY ALL ORDER BY count DESC, year, quarter LIMIT ${QUARTERS}`,
  );
  const sorted = rows
    .map(({ year, quarter, count }) => ({
      year: Number(year),
      quarter: Number(quarter),
      count: Number(count),
    }))
    .sort((a, b) => a.year - b.year || a.quarter - b.quarter);
  return {
    bins: sorted.map(({ year, quarter }) => `${yearText(year)}-Q${quarter}`),
    counts: sorted.map(({ count }) => count),
  };
}

/** A year with at least four digits, as in ISO 8601. */
function yearText(year: number): string {
  const digits = String(Math.abs(year)).padStart(4, "0");
  return year < 0 ? `-${digits}` : digits;
}
