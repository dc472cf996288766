/** Parses a date such as `2017-02-13T12:56:57+0100`; null if it is missing or not a date. */
export function dateOf(text: string | null | undefined): Date | null {
  if (text === null || text === undefined) return null;
  // Not all runtimes parse an offset without a colon.
  const date = new Date(text.trim().replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  return Number.isNaN(date.getTime()) ? null : date;
}
