import { quoteIdentifier } from "../duckdb/mod.ts";
import { asDouble, isWide, mayOverflow, type ProfiledColumn } from "./columns.ts";

/** The characters of a text that are kept. */
const TEXT_LENGTH = 100;

/** One in this many hashes is counted to estimate the number of different values of a large table. */
export const HASH_SHARE = 64;

/** Beyond this, the square of a value may overflow when many are added. */
const SQUARE_MAX = "1e140";

/**
 * The statement that creates the temporary table `sample`. A list in the statement of `passSql` would need four times its memory,
 * and more time than reading the table again.
 *
 * @param share the share of the rows in the sample; null: all
 */
export function sampleSql(from: string, columns: readonly ProfiledColumn[], share: number | null): string {
  const where = share === null ? "" : `WHERE random() < ${share}`;
  return `CREATE TEMP TABLE sample AS SELECT ${columns.map(sampled).join(", ")}
    FROM (SELECT ${namesSql(columns)} FROM ${from} ${where})`;
}

/** What the statement for the figures of all rows computes. */
interface PassOptions {
  /** Whether these are all columns of the table, so that different rows are counted too. */
  readonly isWhole: boolean;
  /** Whether to count hashes, because the sample has not all rows. */
  readonly isSampled: boolean;
}

/** The statement that computes the figures of all rows. */
export function passSql(
  from: string,
  columns: readonly ProfiledColumn[],
  { isWhole, isSampled }: PassOptions,
): string {
  const derived = columns.flatMap(({ category, mayBeInfinite }, at) => [
    ...(isSampled || category === "STRING" ? [`${hashOf(at)} AS h${at}`] : []),
    ...(mayBeInfinite ? [`CASE WHEN isfinite(c${at}) THEN c${at} END AS x${at}`] : []),
  ]);
  const figures = [
    "count(*) AS total",
    ...(isWhole ? [differentRows(columns)] : []),
    ...columns.flatMap((column, at) => aggregates(column, at, isSampled)),
  ];
  return `SELECT ${figures.join(",\n")}
    FROM (SELECT ${["*", ...derived].join(", ")} FROM (SELECT ${namesSql(columns)} FROM ${from}))`;
}

/** The statement that counts the different rows of a table, by their hashes. */
export function differentSql(from: string, columns: readonly ProfiledColumn[]): string {
  return `SELECT ${differentRows(columns)} FROM (SELECT ${namesSql(columns)} FROM ${from})`;
}

function differentRows(columns: readonly ProfiledColumn[]): string {
  return `count(DISTINCT ${rowHash(columns)}) AS different`;
}

/** The statement that reads the first five rows, with the texts of their values. */
export function firstRowsSql(from: string, columns: readonly ProfiledColumn[]): string {
  const texts = columns.map(({ category }, at) => {
    const text = category === "STRING" ? startOf(`c${at}`) : `CAST(c${at} AS VARCHAR)`;
    return `${text} AS c${at}`;
  });
  return `SELECT ${texts.join(", ")} FROM (SELECT ${namesSql(columns)} FROM ${from} LIMIT 5)`;
}

function namesSql(columns: readonly ProfiledColumn[]): string {
  return columns.map(({ name }, at) => `${quoteIdentifier(name)} AS c${at}`).join(", ");
}

/** A hash of the values of a row; equal rows have equal hashes. */
export function rowHash(columns: readonly ProfiledColumn[]): string {
  return `hash(${columns.map((_, at) => `c${at}`).join(", ")})`;
}

/** The fields of a column in the sample: its value, or the start of its text and the hash of the whole. */
function sampled({ category }: ProfiledColumn, at: number): string {
  return category === "STRING" ? `${startOf(`c${at}`)} AS c${at}, ${hashOf(at)} AS h${at}` : `c${at}`;
}

function hashOf(at: number): string {
  return `CASE WHEN c${at} IS NOT NULL THEN hash(c${at}) END`;
}

/** The SQL of the start of the text of a value. */
function startOf(value: string): string {
  const text = `CAST(${value} AS VARCHAR)`;
  return `CASE WHEN length(${text}) > ${TEXT_LENGTH} THEN left(${text}, ${TEXT_LENGTH}) || '…' ELSE ${text} END`;
}

/** The figures of all rows of a column. A FILTER would copy the values of all columns, for each of its aggregates. */
function aggregates(column: ProfiledColumn, at: number, isSampled: boolean): readonly string[] {
  const value = `c${at}`;
  const finite = column.mayBeInfinite ? `x${at}` : value;
  return [
    `count(${value}) AS filled${at}`,
    ...(isSampled
      ? [`count(DISTINCT CASE WHEN h${at} % ${HASH_SHARE} = 0 THEN h${at} END) AS hashes${at}`]
      : []),
    ...byCategory(column, at, { value, finite }),
  ];
}

function byCategory(
  column: ProfiledColumn,
  at: number,
  { value, finite }: { readonly value: string; readonly finite: string },
): readonly string[] {
  switch (column.category) {
    case "NUMERIC": {
      const double = asDouble(column, finite);
      const squared = isWide(column) ? `CASE WHEN abs(${double}) < ${SQUARE_MAX} THEN ${double} END` : double;
      return [
        `count(${finite}) AS finite${at}`,
        `CAST(min(${finite}) AS VARCHAR) AS min${at}`,
        `CAST(max(${finite}) AS VARCHAR) AS max${at}`,
        `${asDouble(column, `min(${finite})`)} AS low${at}`,
        `${asDouble(column, `max(${finite})`)} AS high${at}`,
        `avg(${mayOverflow(column) ? double : finite}) AS mean${at}`,
        `stddev_samp(${squared}) AS stddev${at}`,
        `count(${squared}) AS squared${at}`,
        `count_if(${finite} = 0) AS zeros${at}`,
        `count_if(${finite} < 0) AS negative${at}`,
      ];
    }
    case "DATE":
    case "TIMESTAMP": {
      const epoch = `${column.category} '1970-01-01'`;
      const days = (aggregate: string) => `date_diff('day', ${epoch}, ${plainTime(column, aggregate)})`;
      return [
        `count(${finite}) AS finite${at}`,
        `CAST(min(${finite}) AS VARCHAR) AS min${at}`,
        `CAST(max(${finite}) AS VARCHAR) AS max${at}`,
        `${days(`min(${finite})`)} AS low${at}`,
        `${days(`max(${finite})`)} AS high${at}`,
      ];
    }
    case "BOOLEAN":
      return [`count_if(${value}) AS trues${at}`];
    case "STRING": {
      const length = column.length(value);
      return [
        `min(${length}) AS min${at}`,
        `max(${length}) AS max${at}`,
        `avg(${length}) AS mean${at}`,
        `min(h${at}) = max(h${at}) AS constant${at}`,
      ];
    }
  }
}

/** A date or time without a zone, for functions that would need the zone. */
export function plainTime({ type }: ProfiledColumn, value: string): string {
  return type.includes("ZONE") || type === "TIMESTAMPTZ" ? `(${value} AT TIME ZONE 'UTC')` : value;
}
