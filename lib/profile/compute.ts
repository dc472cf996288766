import type { Connection } from "../duckdb/mod.ts";
import type { OpenedTable } from "../query/mod.ts";
import { alertsOf } from "./alerts.ts";
import type { Bounds } from "./bounds.ts";
import { profiledColumn, type ProfiledColumn } from "./columns.ts";
import { countDuplicates } from "./duplicates.ts";
import { estimateDifferent } from "./estimate.ts";
import { differentSql, firstRowsSql, passSql, sampleSql } from "./pass.ts";
import { readSample, type Range, type SampledColumn } from "./sample.ts";
import { numberOf, percentOf, valueOf } from "./values.ts";
import type { NumericStats, TableFigures } from "./types.ts";

type Row = Readonly<Record<string, unknown>>;

/**
 * Computes the figures of a table. One statement computes what is exact from all rows, and one takes a sample of at most 500,000
 * rows for the rest. A table with many columns has these two statements for each group of columns, so that they fit the memory.
 * Only a table with rows of equal hashes is read again, to compare these rows.
 */
export async function computeFigures(
  { connection, table, from }: OpenedTable,
  { groupsOf, sampleRows }: Bounds,
): Promise<TableFigures> {
  const described = await connection.describe(`SELECT * FROM ${from}`);
  const columns = described.map(profiledColumn);
  // What another program states about its extract may be wrong.
  const expected = (table.generation === null ? null : table.rows) ?? (await rowsOf(connection, from));
  const groups: GroupFigures[] = [];
  const parts = groupsOf(columns);
  for (const part of parts) {
    const size = sampleRows(part);
    const share = expected > size ? size / expected : null;
    groups.push(await readGroup(connection, from, part, { isWhole: parts.length === 1, share }));
  }
  const { total, different = await differentOf(connection, from, columns) } = groups[0]!;
  const shown = await connection.rows(firstRowsSql(from, columns));
  return {
    row_count: total,
    duplicate_rows: different === total ? 0 : await countDuplicates(connection, from, columns),
    sampled: groups.some(({ isSampled }) => isSampled),
    sampled_rows: Math.min(...groups.map(({ taken }) => taken)),
    columns: groups.flatMap((group) => group.columns),
    days: groups.flatMap(({ days }) => days),
    sample_rows: shown.map((row) => columns.map(({ category }, at) => valueOf(category, row[`c${at}`]))),
  };
}

async function differentOf(
  connection: Connection,
  from: string,
  columns: readonly ProfiledColumn[],
): Promise<number> {
  const [row] = await connection.rows<{ different: bigint }>(differentSql(from, columns));
  return Number(row!.different);
}

/** The figures of a group of columns. */
interface GroupFigures extends Pick<TableFigures, "columns" | "days"> {
  readonly total: number;
  /** The different hashes of rows, if the group has all columns. */
  readonly different?: number;
  /** The rows of the sample. */
  readonly taken: number;
  readonly isSampled: boolean;
}

async function readGroup(
  connection: Connection,
  from: string,
  columns: readonly ProfiledColumn[],
  { isWhole, share }: { readonly isWhole: boolean; readonly share: number | null },
): Promise<GroupFigures> {
  const [row] = await connection.rows(passSql(from, columns, { isWhole, isSampled: share !== null }));
  const pass = row!;
  await connection.run(sampleSql(from, columns, share));
  const sampled = await readSample(
    connection,
    columns,
    columns.map((column, at) => rangeOf(column, at, pass)),
  );
  const total = Number(pass["total"]);
  const [counted] = await connection.rows<{ taken: bigint }>("SELECT count(*) AS taken FROM sample");
  const taken = Number(counted!.taken);
  const isSampled = taken < total;
  await connection.run("DROP TABLE sample");
  return {
    total,
    ...(isWhole && { different: Number(pass["different"]) }),
    taken,
    isSampled,
    columns: columns.map((column, at) =>
      columnProfile(column, at, { pass, sample: sampled[at]!, isSampled }),
    ),
    days: columns.map(({ category }, at) => (isTime(category) ? daysOf(pass, at) : null)),
  };
}

async function rowsOf(connection: Connection, from: string): Promise<number> {
  const [row] = await connection.rows<{ total: bigint }>(`SELECT count(*) AS total FROM ${from}`);
  return Number(row!.total);
}

function rangeOf({ category }: ProfiledColumn, at: number, pass: Row): Range | null {
  const [low, high] = [numberOf(pass[`low${at}`]), numberOf(pass[`high${at}`])];
  // A BIGNUM may be out of the range of a DOUBLE.
  return category !== "NUMERIC" || low === null || high === null ? null : { low, high };
}

function isTime(category: ProfiledColumn["category"]): boolean {
  return category === "DATE" || category === "TIMESTAMP";
}

function daysOf(pass: Row, at: number): readonly [number, number] | null {
  const [low, high] = [pass[`low${at}`], pass[`high${at}`]];
  return low === null ? null : [Number(low), Number(high)];
}

interface ColumnFacts {
  readonly pass: Row;
  readonly sample: SampledColumn;
  readonly isSampled: boolean;
}

function columnProfile(
  column: ProfiledColumn,
  at: number,
  facts: ColumnFacts,
): TableFigures["columns"][number] {
  const { pass, sample, isSampled } = facts;
  const { name, type, category } = column;
  const rows = Number(pass["total"]);
  const filled = Number(pass[`filled${at}`]);
  const different = isSampled
    ? estimateDifferent({
        filled,
        hashes: Number(pass[`hashes${at}`]),
        isConstant: isConstant(column, at, pass),
        sample,
      })
    : sample.different;
  const [top] = sample.values;
  return {
    name,
    type,
    type_category: category,
    completeness_pct: rows === 0 ? null : percentOf(filled, rows),
    null_count: rows - filled,
    unique_count: different,
    unique_pct: percentOf(different, filled),
    sample_values: sample.values.slice(0, 5).map(({ value }) => valueOf(category, value)),
    alerts: alertsOf({
      category,
      rows,
      filled,
      different,
      zeros: category === "NUMERIC" ? Number(pass[`zeros${at}`]) : 0,
      top: top === undefined ? null : { ...top, of: sample.filled },
      isSampled,
    }),
    ...statsOf(column, at, facts),
  };
}

/** Whether all values are equal, by the figures of all rows; null: the figures do not show it. */
function isConstant({ category }: ProfiledColumn, at: number, pass: Row): boolean | null {
  const filled = Number(pass[`filled${at}`]);
  if (category === "STRING") return pass[`constant${at}`] === true;
  if (category === "BOOLEAN") return [0, filled].includes(Number(pass[`trues${at}`]));
  const finite = Number(pass[`finite${at}`]);
  if (finite === 0) return null;
  return finite === filled && pass[`min${at}`] === pass[`max${at}`];
}

function statsOf(
  column: ProfiledColumn,
  at: number,
  { pass, sample }: ColumnFacts,
): Partial<TableFigures["columns"][number]> {
  const filled = Number(pass[`filled${at}`]);
  switch (column.category) {
    case "NUMERIC":
      return { numeric_stats: numericStats(column, at, { pass, sample }) };
    case "BOOLEAN": {
      const trues = Number(pass[`trues${at}`]);
      return {
        boolean_stats: { true_count: trues, false_count: filled - trues, true_pct: percentOf(trues, filled) },
      };
    }
    case "STRING":
      return {
        string_stats: {
          min_length: numberOf(pass[`min${at}`]),
          max_length: numberOf(pass[`max${at}`]),
          avg_length: numberOf(pass[`mean${at}`]),
          top_values: sample.values.map(({ value, count }) => ({
            value,
            count,
            pct: percentOf(count, sample.filled),
          })),
        },
      };
    case "DATE":
    case "TIMESTAMP": {
      const days = daysOf(pass, at);
      return {
        date_stats: {
          earliest: pass[`min${at}`] as string | null,
          latest: pass[`max${at}`] as string | null,
          span_days: days === null ? null : days[1] - days[0],
          histogram: sample.histogram!,
        },
      };
    }
  }
}

function numericStats(
  { type }: ProfiledColumn,
  at: number,
  { pass, sample }: Pick<ColumnFacts, "pass" | "sample">,
): NumericStats {
  const filled = Number(pass[`filled${at}`]);
  const finite = Number(pass[`finite${at}`]);
  const [zeros, negative] = [Number(pass[`zeros${at}`]), Number(pass[`negative${at}`])];
  const isInRange = Number(pass[`squared${at}`]) === finite;
  const [p5 = null, p25 = null, median = null, p75 = null, p95 = null] = sample.quantiles ?? [];
  return {
    min: valueOf("NUMERIC", pass[`min${at}`]) as number | string | null,
    max: valueOf("NUMERIC", pass[`max${at}`]) as number | string | null,
    mean: type === "BIGNUM" && !isInRange ? null : numberOf(pass[`mean${at}`]),
    median,
    stddev: isInRange ? numberOf(pass[`stddev${at}`]) : null,
    p5,
    p25,
    p75,
    p95,
    zeros,
    zeros_pct: percentOf(zeros, filled),
    negative,
    negative_pct: percentOf(negative, filled),
    non_finite: filled - finite,
    histogram: sample.histogram ?? { bins: [], counts: [] },
  };
}
