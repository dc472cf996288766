import type { CsvDialect, CsvOptions } from "../../../kit/mod.ts";
import { checkCsvOptions, checkDialect } from "./check-options.ts";
import { checkDelimiter, DELIMITERS, detectDelimiter, splitsEvenly } from "./delimiter.ts";
import { MAX_LINE_BYTES, type CsvHead } from "./head.ts";

/** A dialect, and what somebody should know of how it was chosen. */
export interface DetectedDialect {
  readonly dialect: CsvDialect;
  readonly notes: readonly string[];
}

/**
 * The dialect of a table from how its files begin. What is wrong about it shows when the files are read whole, since
 * every record must then have as many values as the header.
 *
 * @throws `file_unreadable` when the files of one table differ, or do not hold the delimiter that the options name
 */
export function detectDialect(
  heads: readonly CsvHead[],
  csv: CsvOptions,
  known?: CsvDialect,
): DetectedDialect {
  checkCsvOptions(csv);
  const quote = csv.quote ?? known?.quote ?? '"';
  const escape = csv.escape ?? known?.escape ?? detectEscape(heads, csv, quote);
  if (csv.delimiter !== undefined) checkDelimiter(heads, csv, { quote, escape, delimiter: csv.delimiter });
  const { delimiter, notes } =
    csv.delimiter === undefined
      ? detectDelimiter(heads, { quote, escape }, known?.delimiter)
      : { delimiter: csv.delimiter, notes: [] };
  const dialect: CsvDialect = {
    delimiter,
    quote,
    escape,
    header: csv.header ?? csv.names === undefined,
    nullValues: csv.nullValues === undefined || csv.nullValues.length === 0 ? [""] : csv.nullValues,
    // Files may say their own by a byte order mark.
    encoding: heads[0]?.encoding ?? "utf-8",
    decimalSeparator: csv.decimalSeparator ?? ".",
    thousandsSeparator: csv.thousandsSeparator ?? "",
    skipLines: csv.skipLines ?? 0,
    comment: csv.comment ?? "",
    maxLineBytes: csv.maxLineBytes ?? MAX_LINE_BYTES,
    ...(csv.names === undefined ? {} : { names: csv.names }),
  };
  checkDialect(dialect, csv);
  return { dialect, notes };
}

/** A backslash before a quote escapes it, if only so the quotes of the file close. */
function detectEscape(heads: readonly CsvHead[], csv: CsvOptions, quote: string): string {
  if (quote === "" || !heads.some(({ text }) => text.includes(`\\${quote}`))) return quote;
  const closes = (escape: string) =>
    heads.every((head) =>
      [csv.delimiter ?? DELIMITERS]
        .flat()
        .some((delimiter) => splitsEvenly(head, { delimiter, quote, escape })),
    );
  return !closes(quote) && closes("\\") ? "\\" : quote;
}
