import { AgnesError, isAgnesError, reasonOf } from "../../../base/mod.ts";
import type { CsvDialect, FileInput } from "../../../kit/mod.ts";
import { originOf } from "../columns.ts";
import { textDecoding, markedEncoding } from "../encoding.ts";
import { openBytes } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";
import { csvRecords, type CsvRecord } from "./records.ts";

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
  const found = await firstBadRecord(laidOut, dialect, signal);
  const { file } = laidOut.head;
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

/** The first record that does not have the width of the header, or whose quote does not close. */
async function firstBadRecord(
  { head, names }: LaidOutCsv,
  dialect: CsvDialect,
  signal?: AbortSignal,
): Promise<{ readonly line: number; readonly reason: string; readonly text: string } | null> {
  try {
    for await (const { values, line, isUnclosed, hasTextBehindQuote } of recordsOf(head, dialect, signal)) {
      const text = values.join(dialect.delimiter);
      if (isUnclosed) return { line, reason: "a quote does not close", text };
      if (hasTextBehindQuote) return { line, reason: "text follows a closing quote", text };
      // DuckDB takes a delimiter at the end for the end.
      const width = values.at(-1) === "" && values.length === names.length + 1 ? names.length : values.length;
      if (width !== names.length) {
        return { line, reason: `it has ${values.length} values, the header has ${names.length}`, text };
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
  }
  return null;
}

/** The records of a file with the lines they start in, as they stand in the file. */
export async function* recordsOf(
  head: CsvHead,
  dialect: CsvDialect,
  signal?: AbortSignal,
): AsyncGenerator<CsvRecord> {
  let rest = "";
  let line = 1;
  let skip = head.skipLines;
  const isComment = (text: string) => dialect.comment !== "" && text.startsWith(dialect.comment);
  let held = "";
  for await (const { text, isEnd } of textsOf(head, signal)) {
    // A carriage return may be half of a line end.
    const whole = rest + held + text;
    held = !isEnd && whole.endsWith("\r") ? "\r" : "";
    rest = held === "" ? whole : whole.slice(0, -1);
    while (skip > 0 || isComment(rest)) {
      const end = /\r\n|\r(?!$)|\n/.exec(rest);
      if (end === null) break;
      rest = rest.slice(end.index + end[0].length);
      line += 1;
      skip = Math.max(0, skip - 1);
    }
    let done = 0;
    for (const record of csvRecords(rest, dialect, line)) {
      if (record.isOpen && !isEnd) break;
      // A comment has no quotes to close, so it cannot be read as a record.
      if (!isComment(record.values[0]!)) yield record;
      done = record.end;
    }
    line += lineEnds(rest.slice(0, done));
    rest = rest.slice(done);
  }
}

function lineEnds(text: string): number {
  return text.match(/\r\n|\r|\n/g)?.length ?? 0;
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
