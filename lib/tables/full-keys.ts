const HOUR_MS = 60 * 60_000;
const YEAR_HOURS = 366 * 24;

/** What the text of `full_keys` should be. */
export const FULL_KEYS_RULE =
  "should be `every` and a number of hours or days, at most a year: `every 12h`, `every 7d`";

/** The interval of a key census in milliseconds, from the text of `full_keys`; null if the text is not valid. */
export function fullKeysMs(text: string): number | null {
  const match = /^every ([1-9][0-9]{0,4})([hd])$/.exec(text);
  if (match === null) return null;
  const hours = Number(match[1]) * (match[2] === "d" ? 24 : 1);
  return hours > YEAR_HOURS ? null : hours * HOUR_MS;
}
