import type { Connection } from "../connection.ts";
import { quoteLiteral } from "../sql.ts";
import { CLOCK_FORMS, clockPattern, formatOf, type DateForm } from "./text-dates.ts";
import type { DecidedType, DecideOptions, GivenFormat } from "./decided-type.ts";

/** Every way to write a date that is not ISO 8601, each with a bit of its own. */
const FORMS = (
  [
    ["year-last", [".", "/", "-"]],
    // A year first with hyphens is ISO 8601, or nearly.
    ["year-first", [".", "/"]],
  ] as const
)
  .flatMap(([place, separators]) =>
    separators.flatMap((separator) => CLOCK_FORMS.map((clock) => ({ separator, place, clock }))),
  )
  .map((form, at) => ({ ...form, bit: 2 ** (at + 1) }));

const NO_FORM = 1;
/** A date of a form that is not known here, such as one with a zone: a year stands at one of its ends. */
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
 * Decides in which order the dates of columns are written, by all of their texts. All of a column must be of one form
 * and hold in one order; a column that holds in two stays text and says which. Where the options name a format, no other
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

/** The aggregate that says whether every text is a date in one order. */
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
  const [own, other]: readonly GivenFormat[] =
    found.has_clock === true ? ["timestampFormat", "dateFormat"] : ["dateFormat", "timestampFormat"];
  const isDates = Number(found.forms) % 2 !== NO_FORM;
  // Its texts are not of this format, or they would not be looked at here.
  if (isDates && options[own!] !== undefined) return { ...text, against: own! };
  if (form === undefined) return text;
  const { separator, clock } = form;
  const givenOrder = orderOf(options[other!]);
  const as = (sequence: DateForm["order"]): DecidedType =>
    givenOrder !== null && givenOrder !== sequence
      ? { ...text, against: other! }
      : {
          type: clock === "" ? "DATE" : "TIMESTAMP",
          isEmpty: false,
          format: formatOf({ separator, order: sequence, clock }),
        };
  if (form.place === "year-first") return found.year_first === true ? as("ymd") : text;
  const isDayFirst = found.day_first === true;
  // With dots the day comes first wherever dates are written so.
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

/** The order of day, month and year in a format that somebody named; null when it does not say all three once. */
function orderOf(format: string | undefined): string | null {
  const parts = [...(format ?? "").matchAll(/%-?([demBbYy])/g)].map(([, part]) => PARTS[part!]!);
  return parts.length === 3 && new Set(parts).size === 3 ? parts.join("") : null;
}

const PARTS: Readonly<Record<string, string>> = { d: "d", e: "d", m: "m", B: "m", b: "m", Y: "y", y: "y" };
