/** The names of which a message shows so many at most. */
const NAMES_MAX = 8;

/**
 * Names for a message: sorted, and with the number of those left out.
 *
 * @param rest how many there are beside these
 */
export function someNames(names: readonly string[], rest: number = 0): string {
  const shown = names.slice(0, NAMES_MAX);
  const left = names.length - shown.length + rest;
  return `${[...shown].sort().join(", ")}${left > 0 ? ` and ${left} more` : ""}`;
}
