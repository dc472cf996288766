import { quoteIdentifier } from "../duckdb/mod.ts";
import { asDouble, isWide, mayOverflow, type ProfiledColumn } from "./columns.ts";

/** The rows from which percentiles, histograms and top values are computed; a smaller table is used whole. */
const SAMPLE_ROWS = 500_000;

/** About the memory of a sample. It exists twice for a moment, so it must be far below the limit of the engine. */
const SAMPLE_BYTES = 400_000_000;
const TEXT_BYTES = 80;
const VALUE_BYTES = 16;

/** The characters of a text that are kept. */
const TEXT_LENGTH = 100;

/** One in this many hashes is counted to estimate the number of different values of a large table. */
export const HASH_SHARE = 64;

/** Beyond this, the square of a value may overflow when many are added. */
const SQUARE_MAX = "1e140";

/** The rows of a sample of these columns. */
export function sampleSize(columns: readonly ProfiledColumn[]): number {
  const rowBytes = columns.reduce(
    (sum, { category }) => sum + (category === "STRING" ? TEXT_BYTES : VALUE_BYTES),
    0,
  );
  return Math.min(SAMPLE_ROWS, Math.max(1000, Math.floor(SAMPLE_BYTES / rowBytes)));
}

/**
 * The statement that reads the table once. Its one row, in the temporary table `pass`, has the figures of all rows and a
 * list of the rows of the sample.
 *
 * @param share the share of the rows in the sample; null: all
 */
export function passSql(from: string, columns: readonly ProfiledColumn[], share: number | null): string {
  const names = columns.map(({ name }, at) => `${quoteIdentifier(name)} AS c${at}`);
  const hashes = columns.map((column, at) =>
    share === null && column.category !== "STRING"
      ? []
      : [`CASE WHEN c${at} IS NOT NULL THEN hash(c${at}) END AS h${at}`],
  );
  const finite = columns.map(({ mayBeInfinite }, at) =>
    mayBeInfinite ? [`CASE WHEN isfinite(c${at}) THEN c${at} END AS x${at}`] : [],
  );
  return `CREATE TEMP TABLE pass AS SELECT
    count(*) AS total,
    count(DISTINCT ${rowHash(columns)}) AS different,
    ${columns.map((column, at) => aggregates(column, at, share !== null).join(", ")).join(",\n")},
    list({${columns.map(sampled).join(", ")}}) FILTER (WHERE taken) AS sample
  FROM (SELECT *, ${[...hashes.flat(), ...finite.flat(), `${share === null ? "true" : `random() < ${share}`} AS taken`].join(", ")}
    FROM (SELECT ${names.join(", ")} FROM ${from}))`;
}

/** The rows of the sample as the temporary table `sample`, one column for each field. */
export const SAMPLE_SQL =
  "CREATE TEMP TABLE sample AS SELECT unnest(taken) FROM (SELECT unnest(sample) AS taken FROM pass)";

/** A hash of the values of a row; equal rows have equal hashes. */
export function rowHash(columns: readonly ProfiledColumn[]): string {
  return `hash(${columns.map((_, at) => `c${at}`).join(", ")})`;
}

/** The fields of a column in the sample: its value, or the start of its text and the hash of the whole. */
function sampled({ category }: ProfiledColumn, at: number): string {
  if (category !== "STRING") return `c${at}: c${at}`;
  const text = `CAST(c${at} AS VARCHAR)`;
  return (
    `c${at}: CASE WHEN taken AND length(${text}) > ${TEXT_LENGTH} THEN left(${text}, ${TEXT_LENGTH}) || '…' ` +
    `WHEN taken THEN ${text} END, h${at}: h${at}`
  );
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
