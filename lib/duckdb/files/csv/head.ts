import { AgnesError } from "../../../base/mod.ts";
import type { CsvOptions } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { detectEncoding, encodingNamed, markedEncoding, orderedEncoding, textDecoding } from "../encoding.ts";
import { readHead, type HostFile } from "../open-bytes.ts";
import { decodedOr } from "../misencoded.ts";
import { LineFilter } from "./line-filter.ts";
import { csvRecords } from "./records.ts";

/** The start of a CSV file. */
export interface CsvHead {
  readonly file: HostFile;
  readonly encoding: string;
  /** The text after the byte order mark and skipped lines. */
  readonly text: string;
  /** Whether the text is the whole file. */
  readonly isWhole: boolean;
  /** Whether the file contains only line ends. */
  readonly isEmpty: boolean;
  /** The number of lines before the header: `skipLines`, and one for Excel's `sep=;`. */
  readonly skipLines: number;
  /** The delimiter in Excel's `sep=` line. */
  readonly delimiter?: string;
  /** Whether DuckDB needs a copy: the file is not UTF-8, its line ends differ, or it has comments. */
  readonly needsCopy: boolean;
}

/** Enough for most headers and some hundred rows; a longer first record is read to its end. */
const HEAD_BYTES = 256 * 1024;
export const MAX_LINE_BYTES: number = 16 * 1024 * 1024;

/**
 * Reads the head of a CSV file.
 * @throws `file_unreadable`, `invalid_input`
 */
export async function readCsvHead(
  file: HostFile,
  csv: Pick<
    CsvOptions,
    "delimiter" | "quote" | "escape" | "encoding" | "skipLines" | "comment" | "maxLineBytes"
  >,
  signal?: AbortSignal,
): Promise<CsvHead> {
  const maxBytes = Math.max(HEAD_BYTES, csv.maxLineBytes ?? MAX_LINE_BYTES);
  for (let wantedBytes = HEAD_BYTES; ; wantedBytes *= 8) {
    const head = await headOf(file, csv, wantedBytes, signal);
    if (head.isWhole || wantedBytes >= maxBytes || hasRecord(head, csv)) return head;
  }
}

async function headOf(
  file: HostFile,
  csv: Parameters<typeof readCsvHead>[1],
  wantedBytes: number,
  signal: AbortSignal | undefined,
): Promise<CsvHead> {
  const { comment = "" } = csv;
  const { bytes, isWhole } = await readHead(file, wantedBytes, signal);
  const marked = markedEncoding(bytes);
  const encoding =
    marked?.encoding ??
    (csv.encoding === undefined ? detectEncoding(bytes) : configuredEncoding(file, csv.encoding, bytes));
  const all = await decodedOr(() => decodedHead(bytes.subarray(marked?.markBytes ?? 0), encoding, isWhole), {
    file,
    encoding,
    signal,
  });
  const [, delimiter] = /^"?sep=([^\r\n"])"?(\r\n|\r|\n)/i.exec(all) ?? [];
  const skipLines = (csv.skipLines ?? 0) + (delimiter === undefined ? 0 : 1);
  const syntax = { ...syntaxOf(csv), delimiter: csv.delimiter ?? delimiter ?? "," };
  const text = new LineFilter(skipLines, comment, syntax).push(all, true);
  return {
    file,
    encoding,
    text,
    isWhole,
    isEmpty: isWhole && text.trim() === "",
    skipLines,
    ...(delimiter === undefined ? {} : { delimiter }),
    needsCopy:
      encoding !== "utf-8" ||
      hasMixedLineEnds(all) ||
      comment !== "" ||
      // DuckDB parses quotes in the lines that it skips, and uses an empty line as the header.
      skipLines > 0 ||
      /^[\r\n]/.test(all) ||
      // DuckDB misses a quote after a byte order mark, so a name with a line end would split the header.
      (marked !== null && /^ ?["']/.test(all)),
  };
}

/** @throws `file_unreadable` for bytes that are not UTF-16 although the option sets it */
function configuredEncoding(file: HostFile, name: string, bytes: Uint8Array): string {
  try {
    return orderedEncoding(encodingNamed(name), bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const reason = `${error.message}, which csv.encoding sets; correct or remove csv.encoding`;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason }, { cause: error });
  }
}

const syntaxOf = ({ delimiter = ",", quote = '"', escape = quote }: Parameters<typeof readCsvHead>[1]) => ({
  delimiter,
  quote,
  escape,
});

/** Whether the head contains the complete first record. */
function hasRecord({ text }: CsvHead, csv: Parameters<typeof readCsvHead>[1]): boolean {
  const [first] = csvRecords(text, syntaxOf(csv));
  return first !== undefined && !first.isOpen;
}

function decodedHead(bytes: Uint8Array, encoding: string, isWhole: boolean): string {
  const decoding = textDecoding(encoding);
  const text = decoding.write(bytes);
  // The head may end inside a character.
  return isWhole ? text + decoding.end() : text;
}

function hasMixedLineEnds(text: string): boolean {
  const kinds = [/\r\n/, /(?<!\r)\n/, /\r(?!\n)/].filter((kind) => kind.test(text));
  return kinds.length > 1;
}
