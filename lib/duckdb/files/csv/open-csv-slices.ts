import { eachOf } from "../../../base/mod.ts";
import { PLAIN_FILE_BYTES_MIN } from "../automaton/mod.ts";
import { checkedSelect } from "../checked-values.ts";
import { compressionOf, hostFile, type HostFile } from "../open-bytes.ts";
import type { OpenFileOptions, OpenFiles, ReadableChunk } from "../opened-file.ts";
import { decompressedCopy, type DecompressedFile } from "./decompress.ts";
import { readCsvHead, type CsvHead } from "./head.ts";
import { keepingLoneEscapes } from "./lone-escapes.ts";
import { knownNames } from "./names.ts";
import { textColumns } from "./open-csv-file.ts";
import { plainRows } from "./plain-rows.ts";
import { csvRelation, textTypes } from "./relation.ts";
import { refuseReopenedQuotes } from "./reopened-quotes.ts";

/** Decompressing is the work of one thread for each file. */
const COPIES_AT_ONCE = 2;
const FILES_AT_ONCE = 8;
/**
 * DuckDB holds buffers of several files, and a buffer has room for two of the longest lines. Slices with longer lines
 * are an error here, and are read one by one.
 */
const LINE_BYTES_MAX = 1024 * 1024;
const BUFFER_BYTES = 4 * 1024 * 1024;

type Options = Omit<OpenFileOptions, "isUnchecked" | "onBytesScanned">;

/** Opens CSV files; see `openFiles`. */
export async function openCsvSlices(
  chunks: readonly ReadableChunk[],
  options: Options,
): Promise<OpenFiles | null> {
  const copies: DecompressedFile[] = [];
  const close = async () => {
    for (const copy of copies) await copy.close();
  };
  try {
    const files = await eachOf(chunks, COPIES_AT_ONCE, async (chunk) => {
      const file = hostFile(chunk, options.connection);
      if (compressionOf(file) === "none") return file;
      const copy = await decompressedCopy(file, options);
      if (copy !== null) copies.push(copy);
      return copy?.file ?? null;
    });
    const opened = files.some((file) => file === null)
      ? null
      : await openPlainFiles(files as readonly HostFile[], chunks[0]!, options);
    if (opened !== null) return { ...opened, [Symbol.asyncDispose]: close };
    await close();
    return null;
  } catch (error) {
    await close();
    throw error;
  }
}

async function openPlainFiles(
  files: readonly HostFile[],
  { reading }: ReadableChunk,
  { signal }: Options,
): Promise<Omit<OpenFiles, typeof Symbol.asyncDispose> | null> {
  const dialect = reading.csv!;
  const heads: CsvHead[] = [];
  for (const file of files) {
    const head = await readCsvHead(file, dialect, signal);
    if (!head.isEmpty) heads.push(await keepingLoneEscapes(head, dialect, signal));
  }
  const [first] = heads;
  if (first === undefined || heads.some(({ needsCopy }) => needsCopy)) return null;
  const layouts = heads.map((head) => knownNames(head, dialect, reading.columns));
  const names = layouts[0]!;
  const isAlike = layouts.every((other) => JSON.stringify(other) === JSON.stringify(names));
  // A file of one column is read from a copy, see `openCsvFile`.
  if (!isAlike || names.length === 1) return null;
  const sizes = await eachOf(
    heads,
    FILES_AT_ONCE,
    async ({ file }) => (await file.files.stat(file.path))?.sizeBytes ?? 0,
  );
  const sizeBytes = sizes.reduce((sum, size) => sum + size, 0);
  const columns = textColumns(first.file, names, reading.columns);
  const plain = sizeBytes < PLAIN_FILE_BYTES_MIN ? null : await plainRows(first, dialect, columns);
  const maxLineBytes = Math.min(dialect.maxLineBytes, LINE_BYTES_MAX);
  const inputs = heads.map(({ file: { path } }) => ({ path, compression: "none" as const }));
  const types = plain?.types ?? textTypes(names.length);
  const relation = csvRelation(inputs, { ...dialect, maxLineBytes }, types, "fail", BUFFER_BYTES);
  const present = columns.map(({ column: { name, type } }) => ({ name, type }));
  const select = checkedSelect(relation, plain?.columns ?? columns, dialect);
  if (plain === null) {
    for (const head of heads) await refuseReopenedQuotes(head, dialect, signal);
    return { present, select };
  }
  const holds = async () => {
    for (const { file } of heads) if (!(await plain.holds(signal, file))) return false;
    return true;
  };
  return { present, select, holds };
}
