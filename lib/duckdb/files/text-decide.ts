import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../sql.ts";
import type { DecidedType, DecideOptions } from "./decided-type.ts";
import { canWiden, isOfKind } from "./keep-kinds.ts";
import { CLOCK_TIME, ISO_DATE, TIMESTAMP, ZONED_TIMESTAMP } from "./text-dates.ts";
import { decideDateOrders } from "./text-orders.ts";
import {
  FRACTION,
  groupingCheck,
  checkFormat,
  holdsDigits,
  holdsMagnitude,
  PLAIN_NUMBERS,
  plainNumber,
  SCIENTIFIC,
  WHOLE,
} from "./text-types.ts";

/** The kinds of text, as bits, so that one aggregate collects the kinds of a column. */
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
  configuredDate: 512,
  configuredTimestamp: 1024,
  /** Three numbers with separators, one of them a year: possibly a date in some order. */
  otherDate: 2048,
  /** A text that strptime accepts for a configured format, but that does not match it exactly. */
  unlikeDate: 4096,
  unlikeTimestamp: 8192,
} as const;

const SCALE_MAX = 6;
const DECIMAL_WIDTH = 18;
/** Each column has a dozen regular expressions. With many columns, compiling them takes longer than running them. */
const COLUMNS_IN_ONE_ROW_MAX = 40;

interface Facts {
  /** The index of the column, from 0. */
  readonly place: number;
  readonly kinds: bigint | null;
  readonly whole_digits: number | null;
  readonly fraction_digits: number | null;
  readonly fits_bigint: boolean | null;
  readonly fits_double: boolean | null;
}

/**
 * Decides for each text column of a relation the narrowest type that preserves all of its texts. It takes one scan, and
 * another over the columns of dates that are not ISO 8601.
 *
 * @param columns the SQL of the texts over the relation, by column name
 */
export async function decideTextTypes(
  connection: Connection,
  relation: string,
  columns: ReadonlyMap<string, string>,
  options: DecideOptions = {},
): Promise<ReadonlyMap<string, DecidedType>> {
  const { keep, ...rest } = options;
  if (keep !== undefined) return decideKeepingKinds(connection, relation, columns, { ...rest, keep });
  const entries = [...columns];
  const texts = entries.map(([name, sql]) => ({ sql, hint: options.hints?.get(name)?.type }));
  const sql = texts.length <= COLUMNS_IN_ONE_ROW_MAX ? factsInOneRow : factsInRows;
  const statement = options.signal === undefined ? {} : { signal: options.signal };
  const facts = await connection.rows<Facts>(sql(relation, texts, options), statement);
  const decided = new Map(facts.map(({ place, ...found }) => [entries[place]![0], typeOf(found, options)]));
  const others = entries.filter(([name]) => decided.get(name)?.type === OTHER_DATE);
  for (const [name, found] of await decideDateOrders(connection, relation, new Map(others), options)) {
    decided.set(name, found);
  }
  return decided;
}

/** As `decideTextTypes`, but a column whose texts of its kind have no common type keeps its type. */
async function decideKeepingKinds(
  connection: Connection,
  relation: string,
  columns: ReadonlyMap<string, string>,
  { keep, ...options }: DecideOptions & Required<Pick<DecideOptions, "keep">>,
): Promise<ReadonlyMap<string, DecidedType>> {
  const { numbers = PLAIN_NUMBERS } = options;
  const known = new Map([...keep].filter(([, column]) => canWiden(column)));
  const texts = [...columns].map(([name, text], at) => {
    const column = known.get(name);
    const kept =
      column === undefined ? text : `CASE WHEN ${isOfKind(column, text, numbers)} THEN ${text} END`;
    return `${kept} AS kept_${at}`;
  });
  const kept = new Map([...columns.keys()].map((name, at) => [name, `kept_${at}`]));
  const below = `(SELECT ${texts.join(", ")} FROM ${relation})`;
  const decided = await decideTextTypes(connection, below, kept, options);
  return new Map(
    [...decided].map(([name, found]) => {
      const column = known.get(name);
      const isText = column !== undefined && found.type === "VARCHAR" && !found.isEmpty;
      return [name, isText ? { type: column.type, isEmpty: false } : found];
    }),
  );
}

/** The SQL of the facts of a few columns: computed in one row, then unnested into one row per column. */
function factsInOneRow(relation: string, texts: readonly HintedText[], options: DecideOptions): string {
  if (texts.length === 0) return "SELECT 0 AS place WHERE false";
  const kinds = texts.map(({ sql, hint }, at) => `${sql} AS t${at}, ${kindOf(sql, options, hint)} AS k${at}`);
  const numbers = texts.map((_, at) => `k${at}, ${numberOf(`t${at}`, `k${at}`, options)} AS n${at}`);
  const long = texts.map((_, at) => `k${at}, n${at}, ${longOf(`n${at}`, `k${at}`)} AS l${at}`);
  const facts = texts.map((_, at) => `${factsOf(`k${at}`, `n${at}`, `l${at}`)} AS f${at}`);
  const rows = texts.map((_, at) => `SELECT ${at} AS place, unnest(f${at}) FROM facts`);
  return `WITH facts AS MATERIALIZED (SELECT ${facts.join(", ")} FROM (SELECT ${long.join(", ")}
      FROM (SELECT ${numbers.join(", ")} FROM (SELECT ${kinds.join(", ")} FROM ${relation}))))
    ${rows.join(" UNION ALL ")}`;
}

/** The SQL of the facts of many columns: texts are unnested into rows, so that each expression is compiled once. */
function factsInRows(relation: string, texts: readonly HintedText[], options: DecideOptions): string {
  const all = texts.map(({ sql }) => sql).join(", ");
  const below = `SELECT unnest(range(${texts.length}))::INTEGER AS place, unnest([${all}]) AS t FROM ${relation}`;
  const kinds = `SELECT place, t, ${kindOf("t", options)} AS k FROM (${below})`;
  const numbers = `SELECT place, k, ${numberOf("t", "k", options)} AS n FROM (${kinds})`;
  const long = `SELECT place, k, n, ${longOf("n", "k")} AS l FROM (${numbers})`;
  return `WITH facts AS (SELECT place, ${factsOf("k", "n", "l")} AS f FROM (${long}) GROUP BY place)
    SELECT places.place::INTEGER AS place, unnest(f) FROM range(${texts.length}) AS places(place)
      LEFT JOIN facts ON facts.place = places.place`;
}

interface HintedText {
  readonly sql: string;
  readonly hint: string | undefined;
}

/** The kind of text by type. */
const KINDS_OF: Readonly<Record<string, number>> = {
  BOOLEAN: KIND.boolean,
  DATE: KIND.date,
  TIMESTAMP: KIND.timestamp,
  "TIMESTAMP WITH TIME ZONE": KIND.zoned,
  TIME: KIND.time,
  DOUBLE: KIND.fraction,
};

/** The SQL of the kind bit of a text; null for a null. */
function kindOf(text: string, options: DecideOptions, hint?: string): string {
  const { numbers = PLAIN_NUMBERS, allow = "all", dateFormat, timestampFormat } = options;
  const like = (pattern: string, sql = text) => `regexp_full_match(${sql}, ${quoteLiteral(pattern)})`;
  const plain = plainNumber(text, numbers);
  const grouping = groupingCheck(text, numbers);
  const number = (pattern: string) =>
    grouping === null ? like(pattern, plain) : `(${grouping} AND ${like(pattern, plain)})`;
  const configured = [
    ...(dateFormat === undefined ? [] : [[hasFormat(text, dateFormat), KIND.configuredDate] as const]),
    ...(timestampFormat === undefined
      ? []
      : [[hasFormat(text, timestampFormat), KIND.configuredTimestamp] as const]),
  ];
  const readBy = (format: string) => `try_strptime(${text}, ${quoteLiteral(format)}) IS NOT NULL`;
  const unlike = [
    ...(dateFormat === undefined ? [] : [[readBy(dateFormat), KIND.unlikeDate] as const]),
    ...(timestampFormat === undefined ? [] : [[readBy(timestampFormat), KIND.unlikeTimestamp] as const]),
  ];
  const moments = [
    [`${like(ISO_DATE)} AND ${text} >= '0001' AND TRY_CAST(${text} AS DATE) IS NOT NULL`, KIND.date],
    [
      `${like(TIMESTAMP)} AND ${text} >= '0001' AND TRY_CAST(${text} AS TIMESTAMP) IS NOT NULL`,
      KIND.timestamp,
    ],
    [
      `${like(ZONED_TIMESTAMP)} AND ${text} >= '0001' AND TRY_CAST(${text} AS TIMESTAMPTZ) IS NOT NULL`,
      KIND.zoned,
    ],
  ] as const;
  const branches =
    allow === "moments"
      ? moments
      : [
          ...configured,
          [number(WHOLE), KIND.whole] as const,
          [number(FRACTION), KIND.fraction] as const,
          [`lower(${text}) IN ('true', 'false')`, KIND.boolean] as const,
          ...moments,
          [number(SCIENTIFIC), KIND.scientific] as const,
          [`${like(CLOCK_TIME)} AND TRY_CAST(${text} AS TIME) IS NOT NULL`, KIND.time] as const,
          ...unlike,
          [like("[0-9]{1,4}([./-])[0-9]{1,2}[./-][0-9]{1,4}( .*)?"), KIND.otherDate] as const,
        ];
  const first = hint?.startsWith("DECIMAL") === true ? KIND.fraction : KINDS_OF[hint ?? ""];
  // Only configured formats overlap with other kinds, so they come first.
  const isFirst = ([, bit]: (typeof branches)[number]) =>
    bit === KIND.configuredDate || bit === KIND.configuredTimestamp || bit === first;
  const ordered = [...branches.filter(isFirst), ...branches.filter((branch) => !isFirst(branch))];
  const whens = ordered.map(([condition, bit]) => `WHEN ${condition} THEN ${bit}`).join(" ");
  return `CASE WHEN ${text} IS NULL THEN NULL ${whens} ELSE ${KIND.text} END`;
}

/** The SQL condition that a text is a date or timestamp in a format. */
export function hasFormat(text: string, format: string): string {
  const value = `try_strptime(${text}, ${quoteLiteral(format)})`;
  return `(${value} IS NOT NULL AND ${checkFormat(format, text, value)})`;
}

const is = (kind: string, bits: number): string => `${kind} & ${bits} <> 0`;

/** The SQL of the numeral in a text; null for other texts, which skips the tests that follow. */
function numberOf(text: string, kind: string, { numbers = PLAIN_NUMBERS }: DecideOptions): string {
  const numeric = KIND.whole | KIND.fraction | KIND.scientific;
  return `CASE WHEN ${is(kind, numeric)} THEN ${plainNumber(text, numbers)} END`;
}

/** The SQL of a numeral that may exceed a double or a 64-bit integer; null for others. */
function longOf(number: string, kind: string): string {
  return `CASE WHEN strlen(${number}) > 15 OR ${is(kind, KIND.scientific)} THEN ${number} END`;
}

/** The SQL of the aggregates over the kinds and numerals of one column. */
function factsOf(kind: string, number: string, long: string): string {
  const fraction = `CASE WHEN ${is(kind, KIND.fraction)} THEN strlen(${number}) - instr(${number}, '.') ELSE 0 END`;
  const whole = `CASE WHEN ${is(kind, KIND.fraction)} THEN instr(${number}, '.') - 1 ELSE strlen(${number}) END - (${number}[1] = '-')::INT`;
  const double = `TRY_CAST(${long} AS DOUBLE)`;
  const numeric = is(kind, KIND.whole | KIND.fraction);
  return `{
    kinds: bit_or(${kind}::BIGINT),
    whole_digits: max((${whole})::INTEGER) FILTER (${numeric}),
    fraction_digits: max((${fraction})::INTEGER) FILTER (${numeric}),
    fits_bigint: coalesce(bool_and(TRY_CAST(${long} AS BIGINT) IS NOT NULL) FILTER (${long} IS NOT NULL AND ${is(kind, KIND.whole)}), true),
    fits_double: coalesce(bool_and(${holdsMagnitude(long, double)} AND ${holdsDigits(long, double)}) FILTER (${long} IS NOT NULL), true)
  }`;
}

const OTHER_DATE = "?";

/** Decides the type of a column from its facts. */
function typeOf(facts: Omit<Facts, "place">, options: DecideOptions): DecidedType {
  if (facts.kinds == null) return { type: "VARCHAR", isEmpty: true };
  const kinds = Number(facts.kinds);
  const only = (bits: number) => (kinds & ~bits) === 0;
  const as = (type: string, format?: string): DecidedType => ({
    type,
    isEmpty: false,
    ...(format === undefined ? {} : { format }),
  });
  if (only(KIND.configuredDate)) return as("DATE", options.dateFormat);
  if (only(KIND.configuredTimestamp)) {
    const hasZone = options.timestampFormat!.includes("%z");
    return as(hasZone ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP", options.timestampFormat);
  }
  const has = (bits: number) => (kinds & bits) !== 0;
  if (has(KIND.configuredDate | KIND.unlikeDate)) return { ...as("VARCHAR"), mismatch: "dateFormat" };
  if (has(KIND.configuredTimestamp | KIND.unlikeTimestamp)) {
    return { ...as("VARCHAR"), mismatch: "timestampFormat" };
  }
  if (only(KIND.boolean)) return as("BOOLEAN");
  if (only(KIND.whole) && facts.fits_bigint === true) return as("BIGINT");
  if (only(KIND.whole)) return as("VARCHAR");
  if (only(KIND.whole | KIND.fraction | KIND.scientific)) return as(numberType(kinds, facts, options));
  if (only(KIND.date)) return as("DATE");
  if (only(KIND.date | KIND.timestamp)) return as("TIMESTAMP");
  if (only(KIND.zoned)) return as("TIMESTAMP WITH TIME ZONE");
  if (only(KIND.time)) return as("TIME");
  return as(only(KIND.otherDate) ? OTHER_DATE : "VARCHAR");
}

function numberType(
  kinds: number,
  facts: Omit<Facts, "place">,
  { fractions = "decimal" }: DecideOptions,
): string {
  const scale = facts.fraction_digits ?? 0;
  const isDecimal =
    fractions === "decimal" &&
    (kinds & KIND.scientific) === 0 &&
    scale <= SCALE_MAX &&
    (facts.whole_digits ?? 0) <= DECIMAL_WIDTH - scale;
  if (isDecimal) return `DECIMAL(${DECIMAL_WIDTH},${scale})`;
  return facts.fits_double === true ? "DOUBLE" : "VARCHAR";
}
