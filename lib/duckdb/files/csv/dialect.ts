import type { CsvDialect, CsvOptions } from "../../../kit/mod.ts";
import { checkCsvOptions, checkDialect } from "./check-options.ts";
import { checkDelimiter, DELIMITERS, detectDelimiter, splitsEvenly } from "./delimiter.ts";
import { MAX_LINE_BYTES, type CsvHead } from "./head.ts";

/** A dialect, with notes for users on how it was chosen. */
export interface DetectedDialect {
  readonly dialect: CsvDialect;
  readonly notes: readonly string[];
}

/**
 * Detects the dialect of a table from the heads of its files. A wrong dialect fails the read, because every record must
 * have as many values as the header.
 *
 * @throws `file_unreadable` if the files of the table differ or do not contain the configured delimiter
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
    // The default is left out, so that readings of earlier versions stay equal.
    ...(csv.quotedNulls === false ? { quotedNulls: false } : {}),
    // Each file may have its own, by a byte order mark.
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

/** A backslash before a quote escapes it if the quotes of the file close only then. */
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
