import { counted, formatValue } from "../../base/mod.ts";

/** The maximum number of keys in a note. */
const LISTED_KEYS_MAX = 10;

/**
 * Returns a note about keys of row objects that are not columns; null if there are none.
 *
 * @param keys the number of rows with each key
 */
export function unknownKeyNote(keys: ReadonlyMap<string, number>): string | null {
  if (keys.size === 0) return null;
  const listed = [...keys]
    .slice(0, LISTED_KEYS_MAX)
    .map(([key, rows]) => `${formatValue(key)} (${counted(rows, "row")})`);
  const more = keys.size - listed.length;
  const rest = more === 0 ? "" : ` and ${more} more`;
  return `its rows have keys that are not columns and were ignored: ${listed.join(", ")}${rest}`;
}
