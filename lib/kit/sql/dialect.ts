import { AgnesError, quoted, quotedText, formatValue } from "../../base/mod.ts";
import type { FilterValue } from "../batch.ts";

/**
 * The SQL dialect of an engine: `ansi` for DuckDB, PostgreSQL and others with standard quoting, `bigquery` for GoogleSQL,
 * `snowflake` for Snowflake and Keboola workspaces on it.
 */
export type SqlDialect = "ansi" | "bigquery" | "snowflake";

/** Integers with more digits are not exact in every engine. */
const INTEGER_DIGITS_MAX = 38;
const INT64_MAX = 2n ** 63n;

/**
 * Quotes an identifier for SQL: with double quotes, or with backticks for `bigquery`.
 *
 * @param dialect default: `ansi`
 * @throws `invalid_identifier` if the dialect cannot represent the name: an empty name, a name with a NUL character, and
 *   in `bigquery` also a name with a backtick, a backslash or a line break
 * @example
 * ```ts
 * import { quoteIdentifier } from "agnes/kit";
 * quoteIdentifier('say "hi"'); // "say ""hi"""
 * quoteIdentifier("order-items", "bigquery"); // `order-items`
 * ```
 */
export function quoteIdentifier(name: string, dialect: SqlDialect = "ansi"): string {
  const forbidden = dialect === "bigquery" ? /^$|[\0`\\\r\n]/ : /^$|\0/;
  if (forbidden.test(name)) {
    const rule = `the ${dialect} dialect cannot represent it`;
    throw new AgnesError("invalid_identifier", { what: "the name", value: name, rule });
  }
  return dialect === "bigquery" ? `\`${name}\`` : quoted(name, '"');
}

/**
 * Returns a value as an SQL literal. A `Date` becomes a timestamp in UTC. In `ansi`, text with a NUL character is
 * concatenated with `chr(0)`.
 *
 * @param dialect default: `ansi`
 * @throws `literal_unsupported` if the dialect has no exact literal for the value: a number that is not finite, an
 *   integer of more than 38 digits, a date that is invalid or outside the years 0 to 9999, and in `bigquery` and
 *   `snowflake` text with a NUL character
 * @example
 * ```ts
 * import { quoteLiteral } from "agnes/kit";
 * quoteLiteral("it's"); // 'it''s'
 * quoteLiteral("it's", "bigquery"); // 'it\'s'
 * ```
 */
export function quoteLiteral(value: FilterValue, dialect: SqlDialect = "ansi"): string {
  if (typeof value === "string") return textLiteral(value, dialect);
  if (typeof value === "bigint") return integerLiteral(value, dialect);
  if (value instanceof Date) return timestampLiteral(value, dialect);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw unsupported(value, dialect, "it is not a finite number");
  }
  return String(value);
}

function textLiteral(text: string, dialect: SqlDialect): string {
  if (dialect === "ansi") return quotedText(text);
  if (text.includes("\0")) throw unsupported(text, dialect, "it contains a NUL character");
  // Both engines interpret a backslash in a string as an escape.
  const escaped = text.replaceAll("\\", "\\\\");
  if (dialect === "snowflake") return quoted(escaped, "'");
  return `'${escaped.replaceAll("'", "\\'").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`;
}

function integerLiteral(value: bigint, dialect: SqlDialect): string {
  const text = String(value);
  if (text.replace("-", "").length > INTEGER_DIGITS_MAX) {
    throw unsupported(value, dialect, `it has more than ${INTEGER_DIGITS_MAX} digits`);
  }
  const isInt64 = value >= -INT64_MAX && value < INT64_MAX;
  return dialect === "bigquery" && !isInt64 ? `BIGNUMERIC '${text}'` : text;
}

function timestampLiteral(time: Date, dialect: SqlDialect): string {
  if (Number.isNaN(time.getTime())) throw unsupported(time, dialect, "it is not a valid date");
  const iso = time.toISOString();
  if (iso.length !== 24) throw unsupported(iso, dialect, "its year is outside 0 to 9999");
  const text = iso.slice(0, -1).replace("T", " ");
  switch (dialect) {
    case "ansi":
      return `TIMESTAMP '${text}'`;
    case "bigquery":
      return `TIMESTAMP '${text}+00:00'`;
    case "snowflake":
      return `'${text}'::TIMESTAMP_NTZ`;
  }
}

function unsupported(value: unknown, dialect: SqlDialect, reason: string): AgnesError {
  return new AgnesError("literal_unsupported", { value: formatValue(value, 40), dialect, reason });
}
