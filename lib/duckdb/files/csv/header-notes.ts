import { formatValue } from "../../../base/mod.ts";
import type { CsvOptions } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import type { CsvHead } from "./head.ts";
import { looksLikeValue, looksLikeYear } from "./value-forms.ts";

const FILES_MAX = 3;

/**
 * A note about first records that were taken for names, though values such as 1 or 2026-01-31 seldom are; years may be.
 * Of several files it names a few.
 */
export function headerNotes(
  files: readonly { readonly head: CsvHead; readonly names: readonly string[] }[],
  csv: CsvOptions,
): readonly string[] {
  if (csv.header !== undefined || csv.names !== undefined) return [];
  const doubtful = files.filter(
    ({ names }) =>
      names.every(looksLikeValue) || names.some((name) => looksLikeValue(name) && !looksLikeYear(name)),
  );
  const told = doubtful
    .slice(0, FILES_MAX)
    .map(({ head, names }) => `${originOf(head.file)}, ${formatValue(names.join(", "), 100)}`);
  const [first, ...others] = told;
  if (first === undefined) return [];
  if (others.length === 0) {
    return [
      `the first record of ${first}, names the columns; set csv.header to false if it is a row, or to true if not`,
    ];
  }
  const more = doubtful.length - told.length;
  const rest = more === 0 ? "" : `, and of ${more} more`;
  return [
    `several files name their columns by their first record: of ${told.join("; of ")}${rest}; set csv.header to false if they are rows, or to true if not`,
  ];
}
