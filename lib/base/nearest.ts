import { closest, distance } from "fastest-levenshtein";

/** Returns the known name nearest to a mistyped one, or `undefined` if none is similar enough. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const found = closest(word, [...known]);
  return distance(word, found) <= Math.max(2, Math.floor(word.length / 3)) ? found : undefined;
}
