import { rm, stat } from "node:fs/promises";

import { AgnesError, isAgnesError } from "../../../base/mod.ts";
import type { FileColumn, FileInput } from "../../../kit/mod.ts";
import { quoteIdentifier } from "../../sql.ts";
import { PLAIN_FILE_BYTES_MIN } from "../automaton/mod.ts";
import { fittingSelect } from "../checked-values.ts";
import { originOf } from "../columns.ts";
import { compressionOf } from "../open-bytes.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk, RejectedRow } from "../opened-file.ts";
import { copyRows, misfitsOf } from "./rows.ts";
import { COLUMNS_MAX } from "./inspect.ts";
import { hasPlainRows } from "./plain-rows.ts";
import { readAsText, selectRows } from "./read-as-text.ts";
import { jsonRelation } from "./relation.ts";
import { fitsColumns, rowShape } from "./row-shape.ts";
import { scanFile, type ScannedFile } from "./scan-file.ts";
import { hasShortLines, LINE_BYTES_MAX } from "./short-lines.ts";
import { firstTextMisfit, textMisfits } from "./text-misfits.ts";
import { ShapeWalk } from "./walk.ts";

/** A row of that many bytes takes a multiple of it in memory. */
const ROW_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Opens a JSON file; see `openFile`. It is checked whole, since DuckDB rounds, ignores unknown keys, takes arrays that
 * are cut off, and ends the process on what is nested too deep: before DuckDB reads it, or meanwhile when the caller
 * may and the file is such that DuckDB can be let loose on it.
 *
 * A value that does not fit does not fail the opening: `select` does then, so that the rows can be sorted out.
 */
export async function openJsonFile(chunk: ReadableChunk, options: OpenFileOptions): Promise<OpenFile> {
  const { reading, data: path, constants = {} } = chunk;
  const isPlain =
    options.isUnchecked === true &&
    readAsText(reading.columns) === null &&
    Object.keys(constants).length === 0 &&
    compressionOf(chunk.compression === undefined ? { path } : { path, compression: chunk.compression }) ===
      "none";
  if (!isPlain || !(await hasShortLines(path, options.signal))) return openChecked(chunk, options);
  const relation = jsonRelation({ path, compression: "none" }, reading.columns, LINES, {});
  let sorted: OpenFile | null = null;
  const file: OpenFile = {
    present: reading.columns.map(({ name, type }) => ({ name, type })),
    isEmpty: false,
    select: `SELECT * FROM ${relation}`,
    explain: async (error) => error,
    async check() {
      const isLarge = (await stat(path)).size >= PLAIN_FILE_BYTES_MIN;
      if (isLarge && (await hasPlainRows(path, reading.columns, options.signal))) return file;
      // DuckDB reads it meanwhile, and tells how far it is.
      const { onBytesScanned: _, ...rest } = options;
      const checked = await openChecked(chunk, rest);
      // That the file is read the same way after a look at all of it says that the guess was right.
      if (checked.isEmpty || checked.select !== file.select) return checked;
      await checked[Symbol.asyncDispose]();
      return file;
    },
    async sortOut(connection) {
      sorted ??= await openChecked(chunk, options);
      return sorted.sortOut(connection);
    },
    async [Symbol.asyncDispose]() {
      await sorted?.[Symbol.asyncDispose]();
    },
  };
  return file;
}

/** What a plain file of lines turns out to be. */
const LINES: ScannedFile = { mark: null, layout: "lines", rows: 1, rowBytesMax: LINE_BYTES_MAX };

async function openChecked(chunk: ReadableChunk, options: OpenFileOptions): Promise<OpenFile> {
  const { reading, data: path, compression, origin, constants = {} } = chunk;
  const { signal } = options;
  const file: FileInput = {
    path,
    ...(compression === undefined ? {} : { compression }),
    ...(origin === undefined ? {} : { origin }),
  };
  const isLines = reading.format === "ndjson";
  const root = rowShape(reading.columns);
  const { onBytesScanned } = options;
  const isCounted = onBytesScanned !== undefined && compressionOf(file) === "none";
  let hasStrangeRow = false;
  const onStrangeRow = () => void (hasStrangeRow = true);
  const walk = new ShapeWalk(root, { columnsMax: COLUMNS_MAX, onStrangeRow });
  const scanned = await scanFile(file, isLines, walk, {
    signal,
    ...(isCounted ? { onChunk: ({ length }: Uint8Array) => onBytesScanned(length) } : {}),
  });
  if (scanned.rowBytesMax > ROW_BYTES_MAX) {
    const reason = `a row has ${scanned.rowBytesMax} bytes; at most ${ROW_BYTES_MAX} can be read`;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason });
  }
  const misfit =
    fitsColumns(root) && !hasStrangeRow ? null : await firstMisfit(file, isLines, reading.columns, signal);
  // A value of the path is for files that do not have the column themselves.
  const seen = new Set(root.order.filter(({ object }) => object > 0).map(({ name }) => name));
  const fixed = Object.fromEntries(Object.entries(constants).filter(([name]) => !seen.has(name)));
  const texts = readAsText(reading.columns);
  const copies: string[] = [];
  const layout = scanned.layout === "lines" ? "lines" : "objects";
  // What becomes a string takes twice its length at most.
  const rowBytesMax = 2 * scanned.rowBytesMax;
  const how = { ...scanned, layout, mark: null, rowBytesMax, hasJsonTexts: true } as const;
  /** The relation of a copy in UTF-8 of the rows that are wanted. */
  const copied = async (isWanted: (row: number) => boolean) => {
    const copy = await copyRows(file, isLines, reading.columns, isWanted, options);
    copies.push(copy);
    return jsonRelation({ path: copy, compression: "none" }, reading.columns, how, fixed);
  };
  const isUtf8 = scanned.mark === null || scanned.mark === "utf-8";
  const isReadable = isUtf8 && !root.hasNumberTexts;
  const relation = isReadable
    ? jsonRelation(file, reading.columns, scanned, fixed)
    : await copied(() => true);
  return {
    present: reading.columns.map(({ name, type }) => ({ name, type })),
    isEmpty: scanned.rows === 0,
    select: misfit === null ? selectRows(relation, reading.columns) : failingSelect(reading.columns),
    async explain(error) {
      if (misfit !== null || texts === null) return misfit ?? error;
      const from = { connection: options.connection, rows: { relation, texts }, file, isLines, signal };
      return (await firstTextMisfit(error, from)) ?? error;
    },
    async sortOut(connection) {
      const rejected = await misfitsOf(file, isLines, reading.columns, { signal });
      const bad = rejected.map(({ row }) => row);
      const isBad = new Set(bad);
      const good = await copied((row) => !isBad.has(row));
      if (texts === null) return { select: `SELECT * FROM ${good}`, rejected: each(rejected) };
      const more = await textMisfits(connection, { relation: good, texts }, bad, signal);
      const all = await misfitsOf(file, isLines, reading.columns, { signal, more });
      return { select: fittingSelect(good, texts), rejected: each(all) };
    },
    async [Symbol.asyncDispose]() {
      for (const copy of copies) await rm(copy, { force: true });
    },
  };
}

async function* each(rejected: readonly RejectedRow[]): AsyncGenerator<RejectedRow> {
  yield* rejected;
}

/** What does not fit must not be read, not even by a query that looks at no value. */
function failingSelect(columns: readonly FileColumn[]): string {
  const values = columns.map(
    ({ name, type }) =>
      `CAST(error('agnes: a value does not fit its column') AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  return `SELECT ${values.join(", ")}`;
}

async function firstMisfit(
  file: FileInput,
  isLines: boolean,
  columns: readonly FileColumn[],
  signal: AbortSignal | undefined,
): Promise<AgnesError> {
  const walk = new ShapeWalk(rowShape(columns), { columnsMax: COLUMNS_MAX, isLocating: true });
  try {
    await scanFile(file, isLines, walk, { signal });
  } catch (error) {
    if (isAgnesError(error, "file_value_invalid") || isAgnesError(error, "file_row_invalid")) return error;
    throw error;
  }
  throw new AgnesError("file_unreadable", { path: originOf(file), reason: "it changed while it was read" });
}
