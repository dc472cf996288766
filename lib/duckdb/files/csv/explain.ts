import { AgnesError, isAgnesError, reasonOf, counted } from "../../../base/mod.ts";
import type { CsvDialect } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { textDecoding, markedEncoding } from "../encoding.ts";
import { misencoded } from "../misencoded.ts";
import { openBytes } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";
import { LineFilter } from "./line-filter.ts";
import { RecordReader, type CsvRecord } from "./records.ts";

/** A file with a known layout. */
export interface LaidOutCsv {
  readonly head: CsvHead;
  readonly names: readonly string[];
  /** The copy that DuckDB reads instead, if any. */
  readonly readPath?: string;
}

/**
 * Converts an error of DuckDB to one that names the file, line and record; returns any error not about a CSV file.
 *
 * Our own reader, which handles comments and encodings, reads the file again to find the record.
 */
export async function explainCsvError(
  error: unknown,
  files: readonly LaidOutCsv[],
  dialect: CsvDialect,
  signal?: AbortSignal,
): Promise<unknown> {
  if (!isAgnesError(error) || signal?.aborted === true) return error;
  const reason = reasonOf(error);
  if (!/CSV (Error|Parser)|read_csv|csv|gzip|zstd/i.test(reason)) return error;
  const path = /\n\s*file = ([^\n]*)/.exec(reason)?.[1];
  const laidOut =
    files.find(({ head, readPath }) => (readPath ?? head.file.path) === path) ??
    (files.length === 1 ? files[0] : undefined);
  if (laidOut === undefined) return error;
  const { file } = laidOut.head;
  if (/Invalid unicode/.test(reason)) {
    return misencoded({ file, encoding: laidOut.head.encoding, signal }, error);
  }
  const tooLong = /CSV Error on Line: (\d+)[^]*Maximum line size of (\d+) bytes exceeded/.exec(reason);
  if (tooLong !== null) {
    const limit = `line ${tooLong[1]}: a record has more than ${counted(Number(tooLong[2]), "byte")}; raise csv.maxLineBytes`;
    return new AgnesError("file_unreadable", { path: originOf(file), reason: limit }, { cause: error });
  }
  const found = await firstBadRecord(laidOut, dialect, signal);
  if (found !== null) {
    return new AgnesError("file_row_invalid", { file: originOf(file), ...found }, { cause: error });
  }
  const line = /CSV Error on Line: (\d+)/.exec(reason)?.[1];
  const [problem] = reason.split(/\n\s*\n|\nPossible|\n\s+file = /);
  const location = line === undefined ? "" : `line ${line}: `;
  const message = problem!
    .replace(/^.*CSV Error on Line: \d+\s*/s, "")
    .replace(/\s+/g, " ")
    .trim();
  return new AgnesError(
    "file_unreadable",
    { path: originOf(file), reason: `${location}${message}` },
    { cause: error },
  );
}

/**
 * Whether DuckDB failed to read CSV files that our own reader can read: their line ends change after the head, or they
 * have long values with many lines, which DuckDB's parallel reader does not support. A sequential read may then work.
 */
export async function mayReadSequentially(
  error: unknown,
  files: readonly LaidOutCsv[],
  dialect: CsvDialect,
  signal?: AbortSignal,
): Promise<boolean> {
  if (!isAgnesError(error) || signal?.aborted === true) return false;
  if (!/CSV (Error|Parser)|Parallel CSV Reader/i.test(reasonOf(error))) return false;
  if (/Maximum line size/.test(reasonOf(error))) return false;
  const path = /\n\s*file = ([^\n]*)/.exec(reasonOf(error))?.[1];
  const suspects = files.filter(
    ({ head, readPath }) => path === undefined || (readPath ?? head.file.path) === path,
  );
  for (const one of suspects) if ((await firstBadRecord(one, dialect, signal)) !== null) return false;
  return suspects.length > 0;
}

/** The first record with a wrong number of values or an unclosed quote. */
async function firstBadRecord(
  { head, names }: LaidOutCsv,
  dialect: CsvDialect,
  signal?: AbortSignal,
): Promise<{ readonly line: number; readonly reason: string; readonly text: string } | null> {
  try {
    for await (const record of recordsOf(head, dialect, signal)) {
      const reason = problemOf(record, names.length);
      if (reason !== null) return { line: record.line, reason, text: record.text };
    }
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
  }
  return null;
}

/** Why a record is not a row with this number of columns; `null` if it is one. */
export function problemOf(
  { values, isUnclosed, hasTextAfterQuote }: CsvRecord,
  columns: number,
): string | null {
  if (isUnclosed) return "it has an unclosed quote";
  if (hasTextAfterQuote) return "text follows a closing quote";
  // DuckDB ignores a delimiter at the end.
  if (values.length === columns || (values.length === columns + 1 && values.at(-1) === "")) return null;
  return `it has ${counted(values.length, "value")}, the header has ${columns}`;
}

/** Reads the records of a file, with the lines on which they start. */
export async function* recordsOf(
  head: CsvHead,
  dialect: CsvDialect,
  signal?: AbortSignal,
): AsyncGenerator<CsvRecord> {
  const lines = new LineFilter(head.skipLines, dialect.comment, dialect);
  const reader = new RecordReader(dialect);
  for await (const { text, isEnd } of textsOf(head, signal)) {
    // Ignored lines become empty, so that line numbers match the file.
    yield* reader.push(lines.push(text, isEnd), isEnd);
  }
}

async function* textsOf(
  head: CsvHead,
  signal?: AbortSignal,
): AsyncGenerator<{ text: string; isEnd: boolean }> {
  const decoding = textDecoding(head.encoding);
  let isFirst = true;
  for await (const bytes of openBytes(head.file, signal)) {
    const mark = isFirst ? (markedEncoding(bytes)?.markBytes ?? 0) : 0;
    isFirst = false;
    yield { text: decoding.write(bytes.subarray(mark)), isEnd: false };
  }
  yield { text: decoding.end(), isEnd: true };
}
