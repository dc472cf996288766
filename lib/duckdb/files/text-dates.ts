const HOUR = "([01][0-9]|2[0-3])";

/** ISO 8601 with and without a time zone, up to microseconds. */
export const ISO_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
export const TIMESTAMP: string = timestampForm(6);
export const OFFSET = "[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?";
export const ZONED_TIMESTAMP: string = `${TIMESTAMP}( ?UTC|Z|${OFFSET})`;
export const CLOCK_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?";

/** The regular expression of timestamps with up to `digits` fractional digits, followed only by zeros. */
export function timestampForm(digits: number): string {
  const fraction = digits === 0 ? "0+" : `[0-9]{1,${digits}}0*`;
  return `${ISO_DATE}[ T]${HOUR}:[0-5][0-9](:[0-5][0-9]([.]${fraction})?)?`;
}

/** The orders of day, month and year in a date, as strptime directives. */
const ORDERS = ["dmy", "mdy", "ymd"] as const;
type DateOrder = (typeof ORDERS)[number];

/** A form of dates other than ISO 8601. */
export interface DateForm {
  readonly separator: "." | "/" | "-";
  readonly order: DateOrder;
  readonly clock: ClockForm;
}

export type ClockForm = "" | "HM" | "HMS" | "HMSf" | "IMp" | "IMSp";

const CLOCK_FORMATS: Readonly<Record<ClockForm, string>> = {
  "": "",
  HM: " %H:%M",
  HMS: " %H:%M:%S",
  HMSf: " %H:%M:%S.%f",
  IMp: " %I:%M %p",
  IMSp: " %I:%M:%S %p",
};

const CLOCK_PATTERNS: Readonly<Record<ClockForm, string>> = {
  "": "",
  HM: ` [0-9]{1,2}:[0-9]{2}`,
  HMS: ` [0-9]{1,2}:[0-9]{2}:[0-9]{2}`,
  HMSf: ` [0-9]{1,2}:[0-9]{2}:[0-9]{2}[.][0-9]{1,6}`,
  IMp: ` [0-9]{1,2}:[0-9]{2} [AaPp][Mm]`,
  IMSp: ` [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AaPp][Mm]`,
};

export const CLOCK_FORMS: readonly ClockForm[] = Object.keys(CLOCK_FORMATS) as ClockForm[];

/** The strptime format of a form. */
export function formatOf({ separator, order, clock }: DateForm): string {
  const date = order
    .split("")
    .map((part) => (part === "y" ? "%Y" : `%${part}`))
    .join(separator);
  return `${date}${CLOCK_FORMATS[clock]}`;
}

/** The regular expression of the texts of a clock form. */
export function clockPattern(clock: ClockForm): string {
  return CLOCK_PATTERNS[clock];
}

/** The regular expression of the texts of a format; `null` if the format has other directives. */
export function dateForm(format: string): string | null {
  const parts = format.split(/(%.)/);
  const form = parts.map((part) => {
    if (part.startsWith("%")) return FORMS_OF_PARTS[part[1]!] ?? null;
    return part.replace(/[^A-Za-z0-9 ]/g, (character) =>
      character === "^" || character === "\\" ? `[\\${character}]` : `[${character}]`,
    );
  });
  return form.includes(null) ? null : form.join("");
}

/** Needed because strptime accepts years of two digits for `%Y`. */
const FORMS_OF_PARTS: Readonly<Record<string, string | undefined>> = {
  Y: "[0-9]{4}",
  y: "[0-9]{2}",
  f: "[0-9]{1,6}",
  p: "[AaPp][Mm]",
  d: "[0-9]{1,2}",
  m: "[0-9]{1,2}",
  H: "[0-9]{1,2}",
  M: "[0-9]{1,2}",
  S: "[0-9]{1,2}",
  I: "[0-9]{1,2}",
};
