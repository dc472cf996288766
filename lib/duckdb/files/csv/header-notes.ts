import { formatValue } from "../../../base/mod.ts";
import type { CsvOptions } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import type { CsvHead } from "./head.ts";
import { looksLikeValue, looksLikeYear } from "./value-forms.ts";

const FILES_MAX = 3;

/**
 * A note for first records that are read as names but contain values such as 1 or 2026-01-31; years are accepted. It lists
 * at most three files.
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
  const listed = doubtful
    .slice(0, FILES_MAX)
    .map(({ head, names }) => `${originOf(head.file)}, ${formatValue(names.join(", "), 100)}`);
  const [first, ...others] = listed;
  if (first === undefined) return [];
  if (others.length === 0) {
    return [
      `the first record of ${first}, is used as column names; set csv.header to false if it is a row, otherwise to true`,
    ];
  }
  const more = doubtful.length - listed.length;
  const rest = more === 0 ? "" : `, and of ${more} more`;
  return [
    `the first records of several files are used as column names: of ${listed.join("; of ")}${rest}; set csv.header to false if they are rows, otherwise to true`,
  ];
}
