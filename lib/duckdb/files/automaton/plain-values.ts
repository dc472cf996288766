import { CLOCK_TIME } from "../text-dates.ts";

const DIGITS_MAX: Readonly<Record<string, number>> = {
  TINYINT: 3,
  SMALLINT: 5,
  INTEGER: 10,
  BIGINT: 19,
  // Parts store at most this many digits.
  HUGEINT: 38,
  UTINYINT: 3,
  USMALLINT: 5,
  UINTEGER: 10,
  UBIGINT: 20,
  UHUGEINT: 39,
};
/** A double keeps all digits of a number with this many. */
const DOUBLE_DIGITS = 15;

const YEAR = "(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
const LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)";
const DAY_OF_YEAR =
  "(?:(?:0[13-9]|1[0-2])-(?:0[1-9]|[12][0-9]|30)|(?:0[13578]|1[02])-31|02-(?:0[1-9]|1[0-9]|2[0-8]))";
const DATE = `(?:${YEAR}-${DAY_OF_YEAR}|${LEAP_YEAR}-02-29)`;
const MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
const SECONDS = ":[0-5][0-9](?:[.][0-9]{1,6})?";
const CLOCK = `${MINUTES}(?:${SECONDS})?`;
const TIMESTAMP = `${DATE}[ T]${CLOCK}`;
/** The regular expression of a timestamp in UTC as Snowflake writes it, which `castSpacedZulu` converts without loss. */
export const SPACED_ZULU = `${DATE}[ T]${MINUTES}${SECONDS} Z`;

/**
 * The regular expression of texts that DuckDB converts to a type without loss; `null` for types without one. It may miss
 * some texts, and may match texts that DuckDB rejects, such as 300 for a TINYINT.
 */
export function plainForm(type: string): string | null {
  const digits = DIGITS_MAX[type];
  if (digits !== undefined) return integerForm(digits, !type.startsWith("U"));
  const [, width, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? [];
  if (scale !== undefined) return decimalForm(Number(width), Number(scale));
  switch (type) {
    case "BOOLEAN":
      return "[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]";
    case "DOUBLE":
      return doubleForm();
    case "DATE":
      return DATE;
    case "TIMESTAMP":
      return `${DATE}|${TIMESTAMP}`;
    case "TIMESTAMP WITH TIME ZONE":
      return `${TIMESTAMP}(?:Z|[+-](?:0[0-9]|1[0-5])(?::[0-5][0-9])?)`;
    case "TIME":
      return CLOCK_TIME;
    default:
      return null;
  }
}

/** The regular expression of whole numbers with up to this many digits, without leading zeros. */
export function integerForm(digits: number, isSigned: boolean): string {
  return `0|${isSigned ? "-?" : ""}[1-9][0-9]{0,${digits - 1}}`;
}

/** A decimal cannot be a negative zero, so texts that begin with `-0` need a digit other than 0. */
function decimalForm(width: number, scale: number): string {
  const digits = Math.max(width - scale, 1);
  const whole = `-?[1-9][0-9]{0,${digits - 1}}`;
  if (scale === 0) return `0|${whole}`;
  const small = Array.from(
    { length: scale },
    (_, zeros) => `-0[.]0{${zeros}}[1-9][0-9]{0,${scale - zeros - 1}}`,
  );
  return `(?:0|${width > scale ? whole : "0"})(?:[.][0-9]{1,${scale}})?|${small.join("|")}`;
}

function doubleForm(): string {
  const fractions = Array.from({ length: DOUBLE_DIGITS - 1 }, (_, at) => {
    const whole = at + 1;
    return `[1-9][0-9]{${whole - 1}}[.][0-9]{1,${DOUBLE_DIGITS - whole}}`;
  });
  const small = `0[.][0-9]{1,${DOUBLE_DIGITS - 1}}`;
  const scientific = `[1-9](?:[.][0-9]{1,${DOUBLE_DIGITS - 1}}[eE][+-]?|[eE][+-])[0-9]{1,2}`;
  return `0|-?(?:[1-9][0-9]{0,${DOUBLE_DIGITS - 1}}|${small}|${scientific}|${fractions.join("|")})`;
}
