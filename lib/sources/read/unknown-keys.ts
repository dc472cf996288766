import { counted, formatValue } from "../../base/mod.ts";

/** How many unknown keys a note names. */
const KEYS_SHOWN_MAX = 10;

/**
 * What the owner should know of keys of row objects that are no column; null when there are none.
 *
 * @param keys how many rows had each
 */
export function unknownKeyNote(keys: ReadonlyMap<string, number>): string | null {
  if (keys.size === 0) return null;
  const words = [...keys]
    .slice(0, KEYS_SHOWN_MAX)
    .map(([key, rows]) => `${formatValue(key)} (${counted(rows, "row")})`);
  const more = keys.size - words.length;
  const rest = more === 0 ? "" : ` and ${more} more`;
  return `its rows have keys that are no column and were left out: ${words.join(", ")}${rest}`;
}
