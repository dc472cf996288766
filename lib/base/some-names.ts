/** The maximum number of names in a message. */
const NAMES_MAX = 8;

/**
 * Formats names for a message: sorted, with the number of omitted ones.
 *
 * @param rest the number of further names
 */
export function someNames(names: readonly string[], rest: number = 0): string {
  const listed = names.slice(0, NAMES_MAX);
  const left = names.length - listed.length + rest;
  return `${[...listed].sort().join(", ")}${left > 0 ? ` and ${left} more` : ""}`;
}
