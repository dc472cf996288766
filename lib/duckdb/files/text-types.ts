import type { FileColumn } from "../../kit/mod.ts";
import { quoteLiteral } from "../sql.ts";
import { storedType } from "../stored-type.ts";
import { parseType, type TypeTree } from "../type-text.ts";
import {
  CLOCK_TIME,
  dateForm,
  ISO_DATE,
  OFFSET,
  TIMESTAMP,
  timestampForm,
  ZONED_TIMESTAMP,
} from "./text-dates.ts";

/** The type of a text column, and the format of its texts unless it is the default. */
export interface TextType {
  /** The DuckDB type. */
  readonly type: string;
  /** For dates and timestamps, in the notation of strptime. Default: ISO 8601. */
  readonly format?: string;
  /** Whether the options set the type. Values must then be exact, but need not be written as DuckDB writes them. */
  readonly isConfigured?: boolean;
}

/** The SQL of the text of a column; null for an empty text that `nullIfEmpty` sets to null. */
export function textOrNull({ type, nullIfEmpty }: FileColumn, text: string): string {
  return nullIfEmpty === true && type !== "VARCHAR" ? `nullif(${text}, '')` : text;
}

/** The message of the error that a query throws for a value that does not fit. */
export const MISFIT = "agnes: a value does not fit its column";

/** The separators of numbers. */
export interface NumberSeparators {
  readonly decimalSeparator: string;
  readonly thousandsSeparator: string;
}

export const PLAIN_NUMBERS: NumberSeparators = { decimalSeparator: ".", thousandsSeparator: "" };

const NUMBER_TYPE: RegExp = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const INTEGER_TYPE = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;

/** A whole number as DuckDB writes it. */
export const WHOLE = "0|-?[1-9][0-9]*";
/** A number with a fraction and without an exponent; never a negative zero, which a decimal cannot hold. */
export const FRACTION = "-?[1-9][0-9]*[.][0-9]+|0[.][0-9]+|-0[.][0-9]*[1-9][0-9]*";
/** Scientific notation as programs write it. `1234e56` and `1e5` may be parts of an identifier, so they do not match. */
export const SCIENTIFIC = "-?[1-9]([.][0-9]+[eE][+-]?|[eE][+-])[0-9]{1,3}|-?0[.]0+([eE][+-]?[0-9]{1,3})?";

/** The SQL that converts a text. If the text is not a value of the type, the SQL fails or `checkText` is false. */
export function castText(column: TextType, text: string, numbers: NumberSeparators): string {
  const { type, format } = column;
  if (type === "VARCHAR") return text;
  if (format !== undefined) return `CAST(strptime(${text}, ${quoteLiteral(format)}) AS ${type})`;
  if (isUnion(type)) {
    const value = hasTexts(type) ? text : `error(${quoteLiteral(MISFIT)})`;
    // The cast converts a null to a union that contains a null.
    return `CASE WHEN ${text} IS NOT NULL THEN CAST(${value} AS ${type}) END`;
  }
  // The errors of this cast do not identify a value that does not fit; `checkText` finds it.
  if (isConfiguredZoned(column)) return castZoned(text);
  return castPlain("CAST", plainText(column, text, numbers), type);
}

/** As `castText`, but null if the text is not a value of the type. */
export function tryCastText(column: TextType, text: string, numbers: NumberSeparators): string {
  const { type, format } = column;
  if (type === "VARCHAR") return text;
  if (format !== undefined) return `TRY_CAST(try_strptime(${text}, ${quoteLiteral(format)}) AS ${type})`;
  if (isUnion(type)) {
    const value = hasTexts(type) ? text : "NULL";
    return `CASE WHEN ${text} IS NOT NULL THEN TRY_CAST(${value} AS ${type}) END`;
  }
  if (isConfiguredZoned(column)) return castZoned(text);
  return castPlain("TRY_CAST", plainText(column, text, numbers), type);
}

/** Casts a text. DuckDB takes fifty times as long for decimals of more than 18 digits, so shorter ones are cast first. */
function castPlain(cast: "CAST" | "TRY_CAST", text: string, type: string): string {
  const { precision, scale } = decimalOf(type) ?? { precision: 0, scale: 0 };
  const exact = `${cast}(${text} AS ${type})`;
  if (precision <= SHORT_DIGITS || scale > SHORT_DIGITS) return exact;
  return `coalesce(CAST(TRY_CAST(${text} AS DECIMAL(${SHORT_DIGITS},${scale})) AS ${type}), ${exact})`;
}

const SHORT_DIGITS = 18;

function decimalOf(type: string): { readonly precision: number; readonly scale: number } | null {
  const [, precision, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? [];
  return precision === undefined ? null : { precision: Number(precision), scale: Number(scale) };
}

/** The SQL of a text in the form that DuckDB casts to the type of its column. */
function plainText({ type }: TextType, text: string, numbers: NumberSeparators): string {
  return NUMBER_TYPE.test(type) ? plainNumber(text, numbers) : text;
}

/** Whether the texts of a column may have a space before their offset. */
export const isConfiguredZoned = ({ type, isConfigured = false }: TextType): boolean =>
  isConfigured && type === "TIMESTAMP WITH TIME ZONE";

/** A configured timestamp may have a space before its offset, which DuckDB takes for the name of a time zone. */
function zonedText(column: TextType, text: string): string {
  if (!isConfiguredZoned(column)) return text;
  return `regexp_replace(${text}, ${quoteLiteral(`([0-9]) (Z|${OFFSET})$`)}, '\\1\\2')`;
}

/** Converts a configured timestamp; ` Z` at its end, as Snowflake writes it, without the time zones of ICU. */
function castZoned(text: string): string {
  const type = "TIMESTAMP WITH TIME ZONE";
  const castable = zonedText({ type, isConfigured: true }, text);
  return `CASE WHEN ${isSpacedZulu(text)} THEN ${castSpacedZulu("TRY_CAST", text)} ELSE TRY_CAST(${castable} AS ${type}) END`;
}

/** Converts a timestamp that ends with ` Z`. */
export function castSpacedZulu(cast: "CAST" | "TRY_CAST", text: string): string {
  return `make_timestamptz(epoch_us(${cast}(left(${text}, strlen(${text}) - 2) AS TIMESTAMP)))`;
}

/** Whether a text may be a timestamp that ends with ` Z`. It begins with a digit, so it is not `infinity`. */
const isSpacedZulu = (text: string): string =>
  `(ends_with(${text}, ' Z') AND strlen(${text}) BETWEEN 21 AND 28 AND ${text} >= '0' AND ${text} < ':')`;

const isUnion = (type: string) => /\bUNION\b/i.test(type);

/** Whether DuckDB can cast a text to the type: to a UNION only if it has a VARCHAR member. */
const hasTexts = (type: string) => isFromText(parseType(type));

function isFromText(tree: TypeTree): boolean {
  switch (tree.kind) {
    case "plain":
      return true;
    case "list":
      return isFromText(tree.item);
    case "map":
      return isFromText(tree.key) && isFromText(tree.value);
    case "fields":
      return tree.typeName === "UNION"
        ? tree.fields.some(({ type }) => type.kind === "plain" && type.text.toUpperCase() === "VARCHAR")
        : tree.fields.every(({ type }) => isFromText(type));
  }
}

/** As `checkRead`, and also that a part can store the value: parts store a HUGEINT with 38 digits. */
export function checkText(
  column: TextType,
  text: string,
  value: string,
  numbers: NumberSeparators,
): string | null {
  return both(checkRead(column, text, value, numbers), checkStored(column.type, value));
}

/** The SQL condition that a part can store a value of a type; `null` if it can store all of them. */
export function checkStored(type: string, value: string): string | null {
  if (!/\b(HUGEINT|TIMESTAMP_M?S)\b/.test(type)) return null;
  return `(${value} IS NULL OR TRY_CAST(${value} AS ${storedType(type)}) IS NOT NULL)`;
}

/** Combines two conditions, each of which may be missing. */
export function both(one: string | null, other: string | null): string | null {
  return one === null || other === null ? (one ?? other) : `((${one}) AND ${other})`;
}

/**
 * The SQL condition that a conversion loses nothing of its text. The condition is null for a null; `null` if there is
 * nothing to check. Cheap tests come first: a `CASE` evaluates its second branch only for the rows that need it.
 */
function checkRead(
  { type, format, isConfigured = false }: TextType,
  text: string,
  value: string,
  numbers: NumberSeparators,
): string | null {
  if (type === "VARCHAR") return null;
  if (NUMBER_TYPE.test(type)) return checkNumber({ type, isConfigured }, text, value, numbers);
  const written = `CAST(${value} AS VARCHAR)`;
  if (format !== undefined) return checkFormat(format, text, value);
  const pattern = (form: string) => `regexp_full_match(${text}, ${quoteLiteral(form)})`;
  switch (type) {
    case "BOOLEAN":
      return isConfigured ? null : `${written} = lower(${text})`;
    case "DATE":
      // DuckDB also accepts `infinity`, years with more digits or before year 1, and text after a date.
      return `(strlen(${text}) = 10 AND ${written} = ${text})`;
    case "TIMESTAMP":
      return `CASE WHEN ${isPlainTimestamp(text, value)} THEN true ELSE (${text} >= '0001' AND ${pattern(`${ISO_DATE}|${TIMESTAMP}`)}) END`;
    case "TIMESTAMP WITH TIME ZONE":
      return checkZoned({ type, isConfigured }, text, value);
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
    case "TIMESTAMP_NS":
      return `(${text} >= '0001' AND ${pattern(`${ISO_DATE}|${timestampForm(FRACTION_DIGITS[type])}`)})`;
    case "TIME":
      // DuckDB accepts 24:00:00, but Parquet does not.
      return `CASE WHEN ${written} = ${text} THEN ${text} < '24' ELSE ${pattern(CLOCK_TIME)} END`;
    default:
      return `lower(replace(${written}, ' ', '')) = lower(replace(${text}, ' ', ''))`;
  }
}

function checkZoned(column: TextType, text: string, value: string): string {
  const form = (castable: string) =>
    `(${text} >= '0001' AND regexp_full_match(${castable}, ${quoteLiteral(ZONED_TIMESTAMP)}))`;
  if (!isConfiguredZoned(column)) return form(text);
  const isRead = `(${text} IS NULL OR ${value} IS NOT NULL)`;
  const slow = `(${form(zonedText(column, text))} AND ${isRead})`;
  return `CASE WHEN ${isSpacedZulu(text)} AND ${isPlainTimestamp(text, `make_timestamp(epoch_us(${value}))`, " Z")} THEN true ELSE ${slow} END`;
}

/**
 * Whether a text is a timestamp as DuckDB or, with whole milliseconds, others write it. It has a year of four digits, so it
 * is finite.
 */
function isPlainTimestamp(text: string, value: string, end = ""): string {
  const written = `CAST(${value} AS VARCHAR)`;
  const range = `${value} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'`;
  const zeros = `.000${end}`;
  const isWhole = `strlen(${text}) = ${"2020-01-01 00:00:00".length + zeros.length} AND ends_with(${text}, '${zeros}')`;
  const whole = end === "" ? written : `concat(${written}, '${end}')`;
  return `${range} AND CASE WHEN ${isWhole} THEN starts_with(${text}, ${written}) ELSE ${whole} = ${text} END`;
}

const FRACTION_DIGITS = { TIMESTAMP_S: 0, TIMESTAMP_MS: 3, TIMESTAMP_NS: 9 } as const;

/** The SQL condition that a text in a format equals its value: it has the form, or formatting the value yields it. */
export function checkFormat(format: string, text: string, value: string): string {
  if (format.endsWith("%z")) return checkZonedFormat(format.slice(0, -2), text);
  const form = dateForm(format);
  if (form !== null) return `regexp_full_match(${text}, ${quoteLiteral(form)})`;
  // strptime accepts `infinity` in any format.
  const again = `strftime(${value}, ${quoteLiteral(format)}) = ${text}`;
  return `(isfinite(${value}) AND year(${value}) BETWEEN 1 AND 9999 AND ${again})`;
}

/** Values are in UTC, so a text with an offset is checked without its offset. */
function checkZonedFormat(format: string, text: string): string {
  const offset = quoteLiteral(`${OFFSET}$`);
  const local = `regexp_replace(${text}, ${offset}, '')`;
  const value = `try_strptime(${local}, ${quoteLiteral(format)})`;
  return `(regexp_matches(${text}, ${offset}) AND ${value} IS NOT NULL AND ${checkFormat(format, local, value)})`;
}

function checkNumber(
  { type, isConfigured = false }: TextType,
  text: string,
  value: string,
  numbers: NumberSeparators,
): string {
  const plain = plainNumber(text, numbers);
  const written = `CAST(${value} AS VARCHAR)`;
  const grouping = groupingCheck(text, numbers);
  const and = grouping === null ? "" : ` AND ${grouping}`;
  const matches = (pattern: string) => `regexp_full_match(${plain}, ${quoteLiteral(pattern)})`;
  const cheapOr = (exact: string) => `CASE WHEN ${written} = ${plain} THEN true ELSE ${exact} END${and}`;
  if (INTEGER_TYPE.test(type)) {
    return isConfigured ? cheapOr(matches("\\s*[+-]?[0-9]+([.]0*)?\\s*")) : `${written} = ${plain}${and}`;
  }
  const decimal = decimalOf(type);
  if (decimal !== null) {
    const { precision, scale } = decimal;
    // Rounding must not lose digits, and a decimal cannot be a negative zero.
    const kept = matches(`\\s*[+-]?[0-9]*([.][0-9]{0,${scale}}0*)?\\s*`);
    const plainForm = matches(`-?(0|[1-9][0-9]*)([.][0-9]{1,${Math.max(1, scale)}})?`);
    if (!isConfigured) return cheapOr(`(${plainForm} AND (${value} <> 0 OR NOT starts_with(${plain}, '-')))`);
    // DuckDB writes long decimals slowly.
    if (precision > SHORT_DIGITS) return `${kept}${and}`;
    // It may lack zeros at its end.
    return `CASE WHEN starts_with(${written}, ${plain}) THEN true ELSE ${kept} END${and}`;
  }
  const finite = holdsMagnitude(plain, value);
  if (isConfigured || type === "FLOAT") return `${finite}${and}`;
  const form = matches(`${WHOLE}|${FRACTION}|${SCIENTIFIC}`);
  const short = `CASE WHEN strlen(${plain}) <= 15 THEN ${form} ELSE (${cheapOr(`(${form} AND ${holdsDigits(plain, value)})`)}) END`;
  return `${finite} AND (${short}${and})`;
}

/** The smallest normal double. */
const NORMAL_MIN = "2.2250738585072014e-308";
const DOUBLE_MAX = "1.7976931348623157e308";

/** The SQL condition that a double has the magnitude of its numeral: it is not infinite, subnormal or zero by underflow. */
export function holdsMagnitude(plain: string, double: string): string {
  const isZero = `(${double} = 0 AND NOT regexp_matches(${plain}, '^[^eE]*[1-9]'))`;
  return `CASE WHEN abs(${double}) BETWEEN ${NORMAL_MIN} AND ${DOUBLE_MAX} THEN true ELSE ${isZero} END`;
}

/** The SQL condition that a double keeps all digits of a numeral: it has at most 15, or the double prints the same ones. */
export function holdsDigits(plain: string, double: string): string {
  const digits = (text: string) =>
    `trim(regexp_replace(regexp_replace(${text}, '[eE].*$', ''), '[-.]', '', 'g'), '0')`;
  return `(strlen(${plain}) <= 15 OR strlen(${digits(plain)}) <= 15 OR ${digits(plain)} = ${digits(`CAST(${double} AS VARCHAR)`)})`;
}

/** The SQL that replaces the separators of a number with those of DuckDB. */
export function plainNumber(
  text: string,
  { decimalSeparator, thousandsSeparator }: NumberSeparators,
): string {
  const grouped =
    thousandsSeparator === "" ? text : `replace(${text}, ${quoteLiteral(thousandsSeparator)}, '')`;
  return decimalSeparator === "." ? grouped : `replace(${grouped}, ${quoteLiteral(decimalSeparator)}, '.')`;
}

/** The SQL condition that digits are grouped by threes and separators occur only in their places; `null` by default. */
export function groupingCheck(
  text: string,
  { decimalSeparator, thousandsSeparator }: NumberSeparators,
): string | null {
  if (decimalSeparator === "." && thousandsSeparator === "") return null;
  const literally = (character: string) =>
    character === "" ? "" : `[${character === "^" ? "\\^" : character}]`;
  const whole =
    thousandsSeparator === "" ? "[0-9]+" : `([0-9]+|[0-9]{1,3}(${literally(thousandsSeparator)}[0-9]{3})+)`;
  const pattern = `[+-]?${whole}(${literally(decimalSeparator)}[0-9]*)?([eE][+-]?[0-9]+)?`;
  return `regexp_full_match(${text}, ${quoteLiteral(pattern)})`;
}
