const NUMBER = /^[+-]?(\d+|\d{1,3}([.,' \u00a0\u202f]\d{3})+)?([.,]?\d+)([eE][+-]?\d+)?\s?%?$/;
const CLOCK = String.raw`([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d{1,9})?)?( ?[AaPp][Mm])?`;
const ZONE = String.raw`( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?`;
const DATE = String.raw`(\d{4}-\d{2}-\d{2}|\d{4}[./]\d{1,2}[./]\d{1,2}|\d{1,2}([./-])\d{1,2}\2(\d{4}|\d{2}))`;
const MOMENT = new RegExp(`^${DATE}([ T]${CLOCK}${ZONE})?$`);
const TIME = new RegExp(`^${CLOCK}${ZONE}$`);

/**
 * Whether a text looks like a value instead of a column name: a number, also with a percent sign or local separators, a
 * date, a time or a boolean.
 */
export function looksLikeValue(text: string): boolean {
  return NUMBER.test(text) || MOMENT.test(text) || TIME.test(text) || /^(true|false)$/i.test(text);
}

/** Whether a text is a year, which is a usual column name in pivot tables. */
export function looksLikeYear(text: string): boolean {
  return /^(19|20)\d\d$/.test(text);
}
