import { AgnesError, isAgnesError, reasonOf, counted } from "../../../base/mod.ts";
import type { CsvDialect, FileInput } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { textDecoding, markedEncoding } from "../encoding.ts";
import { misencoded } from "../misencoded.ts";
import { openBytes } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";
import { LineFilter } from "./line-filter.ts";
import { RecordReader, type CsvRecord } from "./records.ts";

/** A file of which the layout is known. */
export interface LaidOutCsv {
  readonly head: CsvHead;
  readonly names: readonly string[];
  /** The copy that DuckDB reads instead, if there is one. */
  readonly readPath?: string;
}

/**
 * Says which file, line and record DuckDB could not read; an error that is not about a CSV file is given back.
 *
 * The file is read again by a reader of our own, which knows about its comments and encoding.
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
    const limit = `line ${tooLong[1]}: a record has more than ${counted(Number(tooLong[2]), "byte")}; csv.maxLineBytes raises the limit`;
    return new AgnesError("file_unreadable", { path: originOf(file), reason: limit }, { cause: error });
  }
  const found = await firstBadRecord(laidOut, dialect, signal);
  if (found !== null) {
    return new AgnesError("file_row_invalid", { file: originOf(file), ...found }, { cause: error });
  }
  const line = /CSV Error on Line: (\d+)/.exec(reason)?.[1];
  const [what] = reason.split(/\n\s*\n|\nPossible|\n\s+file = /);
  const where = line === undefined ? "" : `line ${line}: `;
  const said = what!
    .replace(/^.*CSV Error on Line: \d+\s*/s, "")
    .replace(/\s+/g, " ")
    .trim();
  return new AgnesError(
    "file_unreadable",
    { path: originOf(file), reason: `${where}${said}` },
    { cause: error },
  );
}

/**
 * Whether DuckDB could not read CSV files in which our own reader finds nothing wrong: line ends that change behind the
 * head, or long values of many lines, which its parallel reader cannot follow. Reading with care may help then.
 */
export async function mayReadWithCare(
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

/** The first record that does not have the width of the header, or whose quote does not close. */
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

/** Why a record is no row of so many columns; null when it is one. */
export function problemOf(
  { values, isUnclosed, hasTextBehindQuote }: CsvRecord,
  columns: number,
): string | null {
  if (isUnclosed) return "a quote does not close";
  if (hasTextBehindQuote) return "text follows a closing quote";
  // DuckDB takes a delimiter at the end for the end.
  if (values.length === columns || (values.length === columns + 1 && values.at(-1) === "")) return null;
  return `it has ${counted(values.length, "value")}, the header has ${columns}`;
}

/** The records of a file with the lines they start in, as they stand in the file. */
export async function* recordsOf(
  head: CsvHead,
  dialect: CsvDialect,
  signal?: AbortSignal,
): AsyncGenerator<CsvRecord> {
  const lines = new LineFilter(head.skipLines, dialect.comment, dialect);
  const reader = new RecordReader(dialect);
  for await (const { text, isEnd } of textsOf(head, signal)) {
    // A line that is left out stands for an empty one, so that the lines are those of the file.
    yield* reader.push(lines.push(text, isEnd), isEnd);
  }
}

async function* textsOf(
  head: CsvHead,
  signal?: AbortSignal,
): AsyncGenerator<{ text: string; isEnd: boolean }> {
  const decoding = textDecoding(head.encoding);
  let isFirst = true;
  for await (const bytes of openBytes(head.file as FileInput, signal)) {
    const mark = isFirst ? (markedEncoding(bytes)?.markBytes ?? 0) : 0;
    isFirst = false;
    yield { text: decoding.write(bytes.subarray(mark)), isEnd: false };
  }
  yield { text: decoding.end(), isEnd: true };
}
