import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../sql.ts";
import { CLOCK_FORMS, clockPattern, formatOf, type DateForm } from "./text-dates.ts";
import type { DecidedType, DecideOptions, FormatOption } from "./decided-type.ts";

/** The forms of dates other than ISO 8601, each with its own bit. */
const FORMS = (
  [
    ["year-last", [".", "/", "-"]],
    // Year first with hyphens is ISO 8601, or almost.
    ["year-first", [".", "/"]],
  ] as const
)
  .flatMap(([place, separators]) =>
    separators.flatMap((separator) => CLOCK_FORMS.map((clock) => ({ separator, place, clock }))),
  )
  .map((form, at) => ({ ...form, bit: 2 ** (at + 1) }));

const NO_FORM = 1;
/** A date in an unknown form, such as one with a time zone: the year is at one of its ends. */
const OTHER_FORM = 2 ** (FORMS.length + 1);
const OTHER_DATE = "([0-9]{4}[./-][0-9]{1,2}[./-][0-9]{1,2}|[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4})( .*)?";

interface Orders {
  readonly forms: bigint | null;
  readonly day_first: boolean | null;
  readonly month_first: boolean | null;
  readonly year_first: boolean | null;
  readonly has_clock: boolean | null;
}

/**
 * Decides the order of day, month and year from all texts of a column. All texts must have the same form and be valid in
 * one order. A column that is valid in two orders stays text and reports both. If the options set a format, no other one
 * is chosen.
 */
export async function decideDateOrders(
  connection: Connection,
  relation: string,
  columns: ReadonlyMap<string, string>,
  options: DecideOptions,
): Promise<ReadonlyMap<string, DecidedType>> {
  const decided = new Map<string, DecidedType>();
  for (const [name, text] of columns) {
    const [row] = await connection.rows<Orders>(
      `SELECT bit_or(form::BIGINT) AS forms, ${order("dmy", "year-last")} AS day_first,
         ${order("mdy", "year-last")} AS month_first, ${order("ymd", "year-first")} AS year_first,
         bool_or(contains(text, ' ')) AS has_clock
       FROM (SELECT ${text} AS text, ${formOf(text)} AS form FROM ${relation})`,
      options.signal === undefined ? {} : { signal: options.signal },
    );
    decided.set(name, dateType(row!, options));
  }
  return decided;
}

function formOf(text: string): string {
  const two = "[0-9]{1,2}";
  const whens = FORMS.map(({ separator, place, clock, bit }) => {
    const parts = place === "year-first" ? ["[0-9]{4}", two, two] : [two, two, "[0-9]{4}"];
    const pattern = `${parts.join(`[${separator}]`)}${clockPattern(clock)}`;
    return `WHEN regexp_full_match(${text}, ${quoteLiteral(pattern)}) THEN ${bit}`;
  });
  return `CASE WHEN ${text} IS NULL THEN NULL ${whens.join(" ")}
    WHEN regexp_full_match(${text}, ${quoteLiteral(OTHER_DATE)}) THEN ${OTHER_FORM} ELSE ${NO_FORM} END`;
}

/** The SQL of the aggregate that tests whether all texts are dates in an order. */
function order(sequence: DateForm["order"], place: "year-first" | "year-last"): string {
  const whens = FORMS.filter((form) => form.place === place).map(({ separator, clock, bit }) => {
    const format = formatOf({ separator, order: sequence, clock });
    return `WHEN ${bit} THEN try_strptime(text, ${quoteLiteral(format)}) IS NOT NULL`;
  });
  return `bool_and(CASE form ${whens.join(" ")} END)`;
}

function dateType(found: Orders, options: DecideOptions): DecidedType {
  const text: DecidedType = { type: "VARCHAR", isEmpty: false };
  const form = FORMS.find(({ bit }) => Number(found.forms) === bit);
  const [own, other]: readonly FormatOption[] =
    found.has_clock === true ? ["timestampFormat", "dateFormat"] : ["dateFormat", "timestampFormat"];
  const isDates = Number(found.forms) % 2 !== NO_FORM;
  // Texts in the configured format never get here.
  if (isDates && options[own!] !== undefined) return { ...text, mismatch: own! };
  if (form === undefined) return text;
  const { separator, clock } = form;
  const configuredOrder = orderOf(options[other!]);
  const as = (sequence: DateForm["order"]): DecidedType =>
    configuredOrder !== null && configuredOrder !== sequence
      ? { ...text, mismatch: other! }
      : {
          type: clock === "" ? "DATE" : "TIMESTAMP",
          isEmpty: false,
          format: formatOf({ separator, order: sequence, clock }),
        };
  if (form.place === "year-first") return found.year_first === true ? as("ymd") : text;
  const isDayFirst = found.day_first === true;
  // Dates with dots are always written day first.
  if (separator === ".") return isDayFirst ? as("dmy") : text;
  const isMonthFirst = found.month_first === true;
  if (isDayFirst && isMonthFirst) {
    const formats = (["dmy", "mdy"] as const).map((sequence) =>
      formatOf({ separator, order: sequence, clock }),
    );
    return { ...text, ambiguous: formats };
  }
  return isDayFirst ? as("dmy") : isMonthFirst ? as("mdy") : text;
}

/** The order of day, month and year in a configured format; `null` unless it has each of them once. */
function orderOf(format: string | undefined): string | null {
  const parts = [...(format ?? "").matchAll(/%-?([demBbYy])/g)].map(([, part]) => PARTS[part!]!);
  return parts.length === 3 && new Set(parts).size === 3 ? parts.join("") : null;
}

const PARTS: Readonly<Record<string, string>> = { d: "d", e: "d", m: "m", B: "m", b: "m", Y: "y", y: "y" };
