import { AgnesError } from "../../../base/mod.ts";
import type { FileColumn, FileInput } from "../../../kit/mod.ts";
import { quoteLiteral } from "../../sql.ts";
import { PLAIN_FILE_BYTES_MIN } from "../automaton/mod.ts";
import type { TextColumn } from "../checked-values.ts";
import { columnsByName, originOf } from "../columns.ts";
import { compressionOf, hostFile, type HostFile } from "../open-bytes.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk } from "../opened-file.ts";
import { textOrNull } from "../text-types.ts";
import { decompressedCopy } from "./decompress.ts";
import { readCsvHead } from "./head.ts";
import { keepingLoneEscapes } from "./lone-escapes.ts";
import { knownNames } from "./names.ts";
import { openCsv } from "./open.ts";
import { PlainCsvFile } from "./plain-csv-file.ts";
import { plainRows } from "./plain-rows.ts";
import { textColumn } from "./relation.ts";
import { refuseReopenedQuotes } from "./reopened-quotes.ts";
import { TextCsvFile } from "./text-csv-file.ts";

/** Opens a CSV file; see `openFile`. */
export async function openCsvFile(chunk: ReadableChunk, options: OpenFileOptions): Promise<OpenFile> {
  const file = hostFile(chunk, options.connection);
  const { isUnchecked = false } = options;
  const mayBeLarge =
    isUnchecked &&
    compressionOf(file) !== "none" &&
    (await sizeOf(file)) >= PLAIN_FILE_BYTES_MIN / COMPRESSION_RATIO;
  const copy = mayBeLarge ? await decompressedCopy(file, options) : null;
  if (copy === null) return openHostFile(file, chunk, options);
  try {
    const opened = await openHostFile(copy.file, chunk, options);
    const dispose = opened[Symbol.asyncDispose].bind(opened);
    // What `check` returns instead also reads the copy, and is closed earlier.
    return Object.assign(opened, {
      [Symbol.asyncDispose]: async () => {
        await dispose();
        await copy.close();
      },
    });
  } catch (error) {
    await copy.close();
    throw error;
  }
}

/** The usual size of a CSV file, as a multiple of its compressed size. */
const COMPRESSION_RATIO = 4;

const sizeOf = async ({ files, path }: HostFile): Promise<number> => (await files.stat(path))?.sizeBytes ?? 0;

async function openHostFile(
  file: HostFile,
  { reading, constants }: ReadableChunk,
  options: OpenFileOptions,
): Promise<OpenFile> {
  const dialect = reading.csv!;
  const start = await readCsvHead(file, dialect, options.signal);
  if (start.isEmpty) return emptyFile();
  const head = await keepingLoneEscapes(start, dialect, options.signal);
  const names = knownNames(head, dialect, reading.columns, constants);
  const columns = textColumns(file, names, reading.columns);
  const readable = await openCsv(head, dialect, { ...options, copy: names.length === 1 });
  const parts = { head, names, columns, dialect, readable, options };
  try {
    const mayBePlain =
      options.isUnchecked === true &&
      !readable.isCopy &&
      compressionOf(file) === "none" &&
      (await sizeOf(file)) >= PLAIN_FILE_BYTES_MIN;
    const plain = mayBePlain ? await plainRows(head, dialect, columns.slice(0, names.length)) : null;
    if (plain !== null) return new PlainCsvFile(parts, plain);
    await refuseReopenedQuotes(head, dialect, options.signal);
    return new TextCsvFile(parts);
  } catch (error) {
    await readable.close();
    throw error;
  }
}

/** @throws `file_reading_outdated` for a column that the reading does not have */
export function textColumns(
  file: FileInput,
  names: readonly string[],
  columns: readonly FileColumn[],
): readonly TextColumn[] {
  const known = columnsByName(columns);
  const { constants = {} } = file;
  const texts = [
    ...names.map((name, at) => ({ name, text: textColumn(at) })),
    ...Object.entries(constants)
      .filter(([name]) => !names.includes(name))
      .map(([name, value]) => ({
        name,
        text: value === null ? "CAST(NULL AS VARCHAR)" : quoteLiteral(value),
      })),
  ];
  return texts.map(({ name, text }) => {
    const column = known.get(name);
    if (column === undefined) {
      throw new AgnesError("file_reading_outdated", {
        file: originOf(file),
        reason: `it has a new column ${JSON.stringify(name)}`,
      });
    }
    return { column, text: textOrNull(column, text) };
  });
}

function emptyFile(): OpenFile {
  return {
    present: [],
    isEmpty: true,
    select: "SELECT 1 WHERE false",
    retry: async () => false,
    explain: async (error) => error,
    separateRejected: async () => ({ select: "SELECT 1 WHERE false", rejected: (async function* () {})() }),
    setMisfitsToNull: async () => ({ select: "SELECT 1 WHERE false", misfits: [] }),
    [Symbol.asyncDispose]: async () => {},
  };
}
