import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../sql.ts";
import {
  CLOCK_FORMS,
  CLOCK_TIME,
  clockPattern,
  formatOf,
  ISO_DATE,
  TIMESTAMP,
  ZONED_TIMESTAMP,
  type DateForm,
} from "./text-dates.ts";
import {
  FRACTION,
  groupingCheck,
  holdsDigits,
  PLAIN_NUMBERS,
  plainNumber,
  SCIENTIFIC,
  WHOLE,
  type NumberSeparators,
  type TextType,
} from "./text-types.ts";

/** What the texts of a column turned out to be. */
export interface DecidedType extends TextType {
  /** Whether there was any text. */
  readonly isEmpty: boolean;
  /** What stays open: dates that could be read in two orders. */
  readonly ambiguous?: readonly string[];
}

export interface DecideOptions {
  readonly numbers?: NumberSeparators;
  /** How numbers with a fraction are read. Default `decimal`. */
  readonly fractions?: "decimal" | "double";
  /** Formats that somebody named; a column of which every text fits is read so. */
  readonly dateFormat?: string | undefined;
  readonly timestampFormat?: string | undefined;
  /** Which types are looked for. Default: all. */
  readonly allow?: "all" | "moments";
  readonly signal?: AbortSignal | undefined;
}

/** The kinds that a text can be of, as bits, so that one aggregate tells which ones a column has. */
const KIND = {
  text: 1,
  boolean: 2,
  whole: 4,
  fraction: 8,
  scientific: 16,
  date: 32,
  timestamp: 64,
  zoned: 128,
  time: 256,
  givenDate: 512,
  givenTimestamp: 1024,
} as const;
const FORM_BIT = 2048;

const SEPARATORS = [".", "/", "-"] as const;
/** Every way to write a date that is not ISO 8601, each with a bit of its own. */
const FORMS = SEPARATORS.flatMap((separator) =>
  (["year-last", "year-first"] as const).flatMap((place) =>
    // A year first with hyphens is ISO 8601, or nearly.
    separator === "-" && place === "year-first"
      ? []
      : CLOCK_FORMS.map((clock) => ({ separator, place, clock })),
  ),
).map((form, at) => ({ ...form, bit: FORM_BIT * 2 ** at }));

const SCALE_MAX = 6;
const DECIMAL_WIDTH = 18;

interface Found {
  readonly kinds: bigint | null;
  readonly whole_digits: number | null;
  readonly fraction_digits: number | null;
  readonly fits_bigint: boolean | null;
  readonly fits_double: boolean | null;
  readonly day_first: boolean | null;
  readonly month_first: boolean | null;
  readonly year_first: boolean | null;
}

/**
 * Decides for each text column of a relation the narrowest type from which all its texts read back as they are written.
 * One scan, whatever the number of columns.
 *
 * @param columns SQL of texts over the relation, by the name to give the answer under
 */
export async function decideTextTypes(
  connection: Connection,
  relation: string,
  columns: ReadonlyMap<string, string>,
  options: DecideOptions = {},
): Promise<ReadonlyMap<string, DecidedType>> {
  const entries = [...columns];
  const decided = new Map<string, DecidedType>();
  // A query of a thousand columns times ten aggregates takes longer to plan than to run.
  for (let from = 0; from < entries.length; from += COLUMNS_AT_ONCE) {
    const some = entries.slice(from, from + COLUMNS_AT_ONCE);
    const kinds = some.map(([, text], at) => `${text} AS t${at}, ${kindOf(text, options)} AS k${at}`);
    const facts = some.map((_, at) => `${factsOf(`t${at}`, `k${at}`, options)} AS f${at}`);
    const [row] = await connection.rows<Record<string, Found>>(
      `SELECT ${facts.join(", ")} FROM (SELECT ${kinds.join(", ")} FROM ${relation})`,
      options.signal === undefined ? {} : { signal: options.signal },
    );
    for (const [at, [name]] of some.entries()) decided.set(name, typeOf(row![`f${at}`]!, options));
  }
  return decided;
}

const COLUMNS_AT_ONCE = 100;

/** The SQL of the one bit that says what a text is; null for a null. */
function kindOf(text: string, options: DecideOptions): string {
  const { numbers = PLAIN_NUMBERS, allow = "all", dateFormat, timestampFormat } = options;
  const like = (pattern: string, sql = text) => `regexp_full_match(${sql}, ${quoteLiteral(pattern)})`;
  const plain = plainNumber(text, numbers);
  const grouping = groupingCheck(text, numbers);
  const number = (pattern: string) =>
    grouping === null ? like(pattern, plain) : `(${grouping} AND ${like(pattern, plain)})`;
  const parses = (format: string) => `try_strptime(${text}, ${quoteLiteral(format)}) IS NOT NULL`;
  const given = [
    ...(dateFormat === undefined ? [] : [[parses(dateFormat), KIND.givenDate] as const]),
    ...(timestampFormat === undefined ? [] : [[parses(timestampFormat), KIND.givenTimestamp] as const]),
  ];
  const scalars = [
    [number(WHOLE), KIND.whole],
    [number(FRACTION), KIND.fraction],
    [`lower(${text}) IN ('true', 'false')`, KIND.boolean],
  ] as const;
  const moments = [
    [`${like(ISO_DATE)} AND TRY_CAST(${text} AS DATE) IS NOT NULL`, KIND.date],
    [`${like(TIMESTAMP)} AND TRY_CAST(${text} AS TIMESTAMP) IS NOT NULL`, KIND.timestamp],
    [`${like(ZONED_TIMESTAMP)} AND TRY_CAST(${text} AS TIMESTAMPTZ) IS NOT NULL`, KIND.zoned],
  ] as const;
  const branches = [
    ...given,
    ...(allow === "all" ? scalars : []),
    ...moments,
    ...(allow === "all"
      ? [
          [number(SCIENTIFIC), KIND.scientific] as const,
          [`${like(CLOCK_TIME)} AND TRY_CAST(${text} AS TIME) IS NOT NULL`, KIND.time] as const,
        ]
      : []),
  ];
  const otherDates = FORMS.map((form) => `WHEN ${like(formPattern(form))} THEN ${form.bit}`).join(" ");
  const hasDate = like("[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}.*");
  const others = allow === "all" ? `WHEN ${hasDate} THEN (CASE ${otherDates} ELSE ${KIND.text} END)` : "";
  return `CASE WHEN ${text} IS NULL THEN NULL ${branches
    .map(([condition, bit]) => `WHEN ${condition} THEN ${bit}`)
    .join(" ")} ${others} ELSE ${KIND.text} END::BIGINT`;
}

function formPattern({ separator, place, clock }: (typeof FORMS)[number]): string {
  const two = "[0-9]{1,2}";
  const parts = place === "year-first" ? ["[0-9]{4}", two, two] : [two, two, "[0-9]{4}"];
  return `${parts.join(`[${separator}]`)}${clockPattern(clock)}`;
}

/** The aggregate over the texts and kinds of one column. */
function factsOf(text: string, kind: string, { numbers = PLAIN_NUMBERS }: DecideOptions): string {
  const plain = plainNumber(text, numbers);
  const is = (bits: number) => `${kind} & ${bits} <> 0`;
  const numeric = KIND.whole | KIND.fraction;
  const fraction = `CASE WHEN ${is(KIND.fraction)} THEN strlen(${plain}) - instr(${plain}, '.') ELSE 0 END`;
  const whole = `CASE WHEN ${is(KIND.fraction)} THEN instr(${plain}, '.') - 1 ELSE strlen(${plain}) END - (${plain}[1] = '-')::INT`;
  const double = `TRY_CAST(${plain} AS DOUBLE)`;
  const order = (sequence: "dmy" | "mdy") => {
    const branches = FORMS.filter(({ place }) => place === "year-last").map((form) => {
      const format = formatOf({ separator: form.separator, order: sequence, clock: form.clock });
      return `WHEN ${form.bit} THEN try_strptime(${text}, ${quoteLiteral(format)}) IS NOT NULL`;
    });
    return `bool_and(CASE ${kind} ${branches.join(" ")} END) FILTER (${kind} >= ${FORM_BIT})`;
  };
  const yearFirst = FORMS.filter(({ place }) => place === "year-first").map((form) => {
    const format = formatOf({ separator: form.separator, order: "ymd", clock: form.clock });
    return `WHEN ${form.bit} THEN try_strptime(${text}, ${quoteLiteral(format)}) IS NOT NULL`;
  });
  return `{
    kinds: bit_or(${kind}),
    whole_digits: max((${whole})::INTEGER) FILTER (${is(numeric)}),
    fraction_digits: max((${fraction})::INTEGER) FILTER (${is(numeric)}),
    fits_bigint: bool_and(strlen(${plain}) < 19 OR TRY_CAST(${plain} AS BIGINT) IS NOT NULL) FILTER (${is(KIND.whole)}),
    fits_double: bool_and(CASE WHEN ${is(KIND.scientific)} OR strlen(${plain}) > 15 THEN isfinite(${double}) AND ${holdsDigits(plain, double)} ELSE true END) FILTER (${is(numeric | KIND.scientific)}),
    day_first: ${order("dmy")},
    month_first: ${order("mdy")},
    year_first: bool_and(CASE ${kind} ${yearFirst.join(" ")} END) FILTER (${kind} >= ${FORM_BIT})
  }`;
}

/** The type of a column of which these facts are known. */
function typeOf(found: Found, options: DecideOptions): DecidedType {
  if (found.kinds === null) return { type: "VARCHAR", isEmpty: true };
  const kinds = Number(found.kinds);
  const only = (bits: number) => (kinds & ~bits) === 0;
  const as = (type: string, format?: string): DecidedType => ({
    type,
    isEmpty: false,
    ...(format === undefined ? {} : { format }),
  });
  if (only(KIND.givenDate)) return as("DATE", options.dateFormat);
  if (only(KIND.givenTimestamp)) return as("TIMESTAMP", options.timestampFormat);
  if (only(KIND.boolean)) return as("BOOLEAN");
  if (only(KIND.whole)) return as(found.fits_bigint === true ? "BIGINT" : "VARCHAR");
  if (only(KIND.whole | KIND.fraction | KIND.scientific)) return as(numberType(kinds, found, options));
  if (only(KIND.date)) return as("DATE");
  if (only(KIND.date | KIND.timestamp)) return as("TIMESTAMP");
  if (only(KIND.zoned)) return as("TIMESTAMP WITH TIME ZONE");
  if (only(KIND.time)) return as("TIME");
  const form = FORMS.find(({ bit }) => kinds === bit);
  return form === undefined ? as("VARCHAR") : dateType(form, found);
}

function numberType(kinds: number, found: Found, { fractions = "decimal" }: DecideOptions): string {
  const scale = found.fraction_digits ?? 0;
  const isDecimal =
    fractions === "decimal" &&
    (kinds & KIND.scientific) === 0 &&
    scale <= SCALE_MAX &&
    (found.whole_digits ?? 0) <= DECIMAL_WIDTH - scale;
  if (isDecimal) return `DECIMAL(${DECIMAL_WIDTH},${scale})`;
  return found.fits_double === true ? "DOUBLE" : "VARCHAR";
}

function dateType({ separator, place, clock }: (typeof FORMS)[number], found: Found): DecidedType {
  const type = clock === "" ? "DATE" : "TIMESTAMP";
  const text: DecidedType = { type: "VARCHAR", isEmpty: false };
  const as = (order: DateForm["order"]): DecidedType => ({
    type,
    isEmpty: false,
    format: formatOf({ separator, order, clock }),
  });
  if (place === "year-first") return found.year_first === true ? as("ymd") : text;
  const dayFirst = found.day_first === true;
  // With dots the day comes first wherever dates are written so.
  if (separator === ".") return dayFirst ? as("dmy") : text;
  const monthFirst = found.month_first === true;
  if (dayFirst && monthFirst) return { ...text, ambiguous: [as("dmy").format!, as("mdy").format!] };
  return dayFirst ? as("dmy") : monthFirst ? as("mdy") : text;
}
