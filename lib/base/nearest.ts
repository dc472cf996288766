import { closest, distance } from "fastest-levenshtein";

/** The known word nearest to a mistyped one, or `undefined` when none is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const found = closest(word, [...known]);
  return distance(word, found) <= Math.max(2, Math.floor(word.length / 3)) ? found : undefined;
}
