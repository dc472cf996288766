import { rm, stat } from "node:fs/promises";

import { AgnesError, isAgnesError } from "../../../base/mod.ts";
import type { FileColumn, FileInput } from "../../../kit/mod.ts";
import { quoteIdentifier } from "../../sql.ts";
import { PLAIN_FILE_BYTES_MIN } from "../automaton/mod.ts";
import { fittingSelect, misfitsByColumn, nulledSelect } from "../checked-values.ts";
import { originOf } from "../columns.ts";
import { compressionOf } from "../open-bytes.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk, RejectedRow } from "../opened-file.ts";
import { MisfitsByColumn } from "./misfits-by-column.ts";
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

/** The maximum size of a row, which takes a multiple of it in memory. */
const ROW_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Opens a JSON file; see `openFile`. The whole file is checked, because DuckDB rounds numbers, ignores unknown keys,
 * accepts truncated arrays and crashes on deep nesting. The check runs before DuckDB reads the file, or at the same time
 * if the caller allows it and DuckDB can read the file safely.
 *
 * A value that does not fit fails `select`, not this function, so that the rows can be separated.
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
      // DuckDB reads it at the same time and reports the progress.
      const { onBytesScanned: _, ...rest } = options;
      const checked = await openChecked(chunk, rest);
      // The guess was right if a check of the whole file returns the same result.
      if (checked.isEmpty || checked.select !== file.select) return checked;
      await checked[Symbol.asyncDispose]();
      return file;
    },
    async sortOut(connection) {
      sorted ??= await openChecked(chunk, options);
      return sorted.sortOut(connection);
    },
    async setMisfitsToNull(connection) {
      sorted ??= await openChecked(chunk, options);
      return sorted.setMisfitsToNull(connection);
    },
    async [Symbol.asyncDispose]() {
      await sorted?.[Symbol.asyncDispose]();
    },
  };
  return file;
}

/** The result of checking a plain file of lines. */
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
  let hasNonObjectRow = false;
  const onNonObjectRow = () => void (hasNonObjectRow = true);
  const walk = new ShapeWalk(root, { columnsMax: COLUMNS_MAX, onNonObjectRow });
  const scanned = await scanFile(file, isLines, walk, {
    signal,
    ...(isCounted ? { onChunk: ({ length }: Uint8Array) => onBytesScanned(length) } : {}),
  });
  if (scanned.rowBytesMax > ROW_BYTES_MAX) {
    const reason = `a row has ${scanned.rowBytesMax} bytes; the limit is ${ROW_BYTES_MAX}`;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason });
  }
  const misfit =
    fitsColumns(root) && !hasNonObjectRow ? null : await firstMisfit(file, isLines, reading.columns, signal);
  // Values of the path apply only to files without the column.
  const seen = new Set(root.order.filter(({ object }) => object > 0).map(({ name }) => name));
  const fixed = Object.fromEntries(Object.entries(constants).filter(([name]) => !seen.has(name)));
  const texts = readAsText(reading.columns);
  const copies: string[] = [];
  const layout = scanned.layout === "lines" ? "lines" : "objects";
  // A value that becomes a string takes at most twice its length.
  const rowBytesMax = 2 * scanned.rowBytesMax;
  const how = { ...scanned, layout, mark: null, rowBytesMax, hasJsonTexts: true } as const;
  /** The relation of a UTF-8 copy of the selected rows. */
  const copied = async (
    isWanted: (row: number) => boolean,
    more: Pick<Parameters<typeof copyRows>[4], "onMisfit"> = {},
  ) => {
    const copy = await copyRows(file, isLines, reading.columns, isWanted, { ...options, ...more });
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
    async setMisfitsToNull(connection) {
      const found = new MisfitsByColumn(reading.columns);
      const all = await copied(() => true, { onMisfit: (...misfit) => found.add(...misfit) });
      if (texts === null) return { select: `SELECT * FROM ${all}`, misfits: found.misfits };
      const more = await misfitsByColumn(connection, all, texts, { signal });
      return { select: nulledSelect(all, texts), misfits: [...found.misfits, ...more] };
    },
    async [Symbol.asyncDispose]() {
      for (const copy of copies) await rm(copy, { force: true });
    },
  };
}

async function* each(rejected: readonly RejectedRow[]): AsyncGenerator<RejectedRow> {
  yield* rejected;
}

/** Fails for a file that does not fit, even if a query reads none of its values. */
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
