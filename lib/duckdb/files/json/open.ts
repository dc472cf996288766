import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { AgnesError } from "../../../base/mod.ts";
import type { FileColumn, FileInput, FileReading } from "../../../kit/mod.ts";
import { parseType, scalar, type TypeTree } from "../type-tree.ts";
import { fits } from "./fits.ts";
import { COLUMNS_MAX } from "./inspect.ts";
import { jsonRelation } from "./relation.ts";
import { scanFile } from "./scan-file.ts";
import { Shape } from "./shape.ts";
import { jsonBytes, originOf, type BytesOptions } from "./source.ts";
import { ShapeWalk } from "./walk.ts";

/** A JSON file of which every value is known to fit the columns. */
export interface OpenedJson extends AsyncDisposable {
  /** Reads it, for use after `FROM`: all columns of the table, in order; rows in the order of the file. */
  readonly relation: string;
  /** How many rows it has. */
  readonly rows: number;
}

/** A row of that many bytes takes a multiple of it in memory. */
const ROW_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Checks a JSON file whole before DuckDB reads it, since DuckDB rounds, ignores unknown keys, takes arrays that are cut
 * off, and ends the process on what is nested too deep.
 *
 * @throws `bad_value` naming file, line, column and value of the first one that does not fit; `file_unreadable`
 */
export async function openJson(
  file: FileInput,
  reading: FileReading,
  options: BytesOptions,
): Promise<OpenedJson> {
  const isLines = reading.format === "ndjson";
  const expected = rowType(reading.columns);
  const root = rowShape(reading.columns, expected);
  const scanned = await scanFile(file, isLines, new ShapeWalk(root, { columnsMax: COLUMNS_MAX }), options);
  if (!root.order.every(({ shape }) => fits(shape, shape.expected!, shape.isGiven))) {
    throw (await locate(file, isLines, reading.columns, expected, options)) ?? unlocated(file);
  }
  if (scanned.rowBytesMax > ROW_BYTES_MAX) {
    const reason = `a row has ${scanned.rowBytesMax} bytes; at most ${ROW_BYTES_MAX} can be read`;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason });
  }
  const copy = scanned.encoding.startsWith("utf-16") ? await transcode(file, options) : null;
  const source: FileInput = copy === null ? file : { path: copy.path, compression: "none" };
  return {
    relation: jsonRelation(source, reading.columns, scanned),
    rows: scanned.rows,
    async [Symbol.asyncDispose]() {
      if (copy !== null) await rm(copy.directory, { recursive: true, force: true });
    },
  };
}

/**
 * Why a JSON file does not fit its columns: the first value that does not, by file, line, column and value. Null when
 * all fit.
 */
export async function locateJsonMisfit(
  file: FileInput,
  reading: FileReading,
  options: BytesOptions,
): Promise<AgnesError | null> {
  return locate(file, reading.format === "ndjson", reading.columns, rowType(reading.columns), options);
}

async function locate(
  file: FileInput,
  isLines: boolean,
  columns: readonly FileColumn[],
  expected: TypeTree,
  options: BytesOptions,
): Promise<AgnesError | null> {
  const walk = new ShapeWalk(rowShape(columns, expected), { columnsMax: COLUMNS_MAX, isLocating: true });
  try {
    await scanFile(file, isLines, walk, options);
    return null;
  } catch (error) {
    if (error instanceof AgnesError && (error.code === "bad_value" || error.code === "file_unreadable")) return error;
    throw error;
  }
}

function unlocated(file: FileInput): AgnesError {
  const reason = "it changed while it was read";
  return new AgnesError("file_unreadable", { path: originOf(file), reason });
}

function rowType(columns: readonly FileColumn[]): TypeTree {
  return {
    kind: "struct",
    fields: columns.map(({ name, key, type, format }) => [
      key ?? name,
      // How it is written is checked when it is parsed.
      format === undefined ? parseType(type) : scalar("FORMATTED"),
    ]),
  };
}

function rowShape(columns: readonly FileColumn[], expected: TypeTree): Shape {
  const root = new Shape(expected);
  for (const [at, { given, format }] of columns.entries()) {
    const field = root.order[at]!;
    if (given !== true || format !== undefined) continue;
    const shape = new Shape(field.shape.expected, true);
    root.order[at] = { ...field, shape };
    root.fields!.set(field.name, root.order[at]);
  }
  return root;
}

/** DuckDB reads JSON as UTF-8 only. */
async function transcode(
  file: FileInput,
  options: BytesOptions,
): Promise<{ readonly path: string; readonly directory: string }> {
  const directory = await mkdtemp(join(options.directory ?? tmpdir(), "agnes-json-"));
  const path = join(directory, "utf-8.json");
  try {
    const { chunks } = await jsonBytes(file, options);
    await pipeline(chunks, createWriteStream(path), options.signal === undefined ? {} : { signal: options.signal });
    return { path, directory };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}
