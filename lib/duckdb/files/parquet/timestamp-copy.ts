import { randomUUID } from "node:crypto";
import { constants as flags } from "node:fs";
import { chmod, copyFile, open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { parquetMetadata, type FileMetaData, type SchemaElement } from "hyparquet";

import { AgnesError } from "../../../base/mod.ts";
import type { FileInput } from "../../../kit/mod.ts";
import { withParquet } from "../../parquet-footer.ts";
import { originOf } from "../columns.ts";

export interface CopyOptions {
  /** The folder of the copy. Default: the system's folder for temporary files. */
  readonly directory?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The length of the footer's size and the magic number after it. */
const TAIL_BYTES = 8;
const PIECE_BYTES = 8 * 1024 * 1024;

/** Thrift's compact form of `TIME(isAdjustedToUTC, NANOS)`, from the field of the union to the end of it. */
const TIMES = [true, false].map((isUtc) =>
  Buffer.from([0x7c, isUtc ? 0x11 : 0x12, 0x1c, 0x3c, 0x00, 0x00, 0x00, 0x00]),
);
/** The start of `TIMESTAMP(isAdjustedToUTC = false, NANOS)`. */
const TIMESTAMP = [0x8c, 0x12];

/** Whether a schema element is a time in nanoseconds. */
export function isNanosecondTime({ logical_type: logical }: SchemaElement): boolean {
  return logical?.type === "TIME" && logical.unit === "NANOS";
}

/**
 * Copies a Parquet file and changes times in nanoseconds to timestamps of the first day of 1970. DuckDB reads these with
 * all digits, but truncates times to microseconds. Both are integers of nanoseconds, so only the footer changes.
 *
 * @param columns the indexes of the top-level columns to change; times of other columns stay
 * @throws `file_unreadable` if the encoding of the footer is not supported
 */
export async function copyWithTimestamps(
  file: FileInput,
  columns: ReadonlySet<number>,
  options: CopyOptions & {
    /** Whether the copy contains only these columns; others must not be read from it. */
    readonly isSparse: boolean;
  },
): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = join(options.directory ?? tmpdir(), `agnes-times-${process.pid}-${randomUUID()}.tmp`);
  const dispose = () => rm(path, { force: true });
  try {
    await withParquet(file.path, async (metadata, { byteLength }) => {
      if (!options.isSparse) {
        await copyFile(file.path, path, flags.COPYFILE_FICLONE);
        await chmod(path, 0o600);
      }
      const source = await open(file.path, "r");
      const target = await open(path, options.isSparse ? "w" : "r+", 0o600);
      try {
        const footerBytes = metadata.metadata_length + TAIL_BYTES;
        const footer = Buffer.alloc(footerBytes);
        await source.read(footer, 0, footerBytes, byteLength - footerBytes);
        if (options.isSparse) await copyColumns(source, target, metadata, columns, options.signal);
        const changed = changedFooter(file, footer, metadata, columns);
        await target.write(changed, 0, footerBytes, byteLength - footerBytes);
      } finally {
        await source.close();
        await target.close();
      }
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: dispose };
}

/** Copies the values of columns to the same offsets; the rest of the target is a hole. */
async function copyColumns(
  source: FileHandle,
  target: FileHandle,
  { row_groups, schema }: FileMetaData,
  columns: ReadonlySet<number>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const magic = Buffer.alloc(4);
  await source.read(magic, 0, magic.length, 0);
  await target.write(magic, 0, magic.length, 0);
  const piece = Buffer.alloc(PIECE_BYTES);
  const names = new Set(
    topLevel(schema)
      .filter((_, at) => columns.has(at))
      .map(({ name }) => name),
  );
  for (const { meta_data: chunk } of row_groups.flatMap((group) => group.columns)) {
    if (chunk === undefined || !names.has(chunk.path_in_schema[0]!)) continue;
    // Some writers store 0 as the offset of a missing dictionary.
    const places = [chunk.data_page_offset, chunk.dictionary_page_offset].filter((place) => !!place);
    const start = Math.min(...places.map(Number));
    const end = start + Number(chunk.total_compressed_size);
    for (let at = start; at < end;) {
      signal?.throwIfAborted();
      const { bytesRead } = await source.read(piece, 0, Math.min(piece.length, end - at), at);
      if (bytesRead === 0) return;
      await target.write(piece, 0, bytesRead, at);
      at += bytesRead;
    }
  }
}

/** Changes the times of a footer in place and verifies the result by parsing it. */
function changedFooter(
  file: FileInput,
  footer: Buffer,
  { schema }: FileMetaData,
  columns: ReadonlySet<number>,
): Buffer {
  const parents = topLevel(schema);
  const wanted = new Set(
    parents.flatMap(({ elements }, place) =>
      columns.has(place) ? elements.filter((at) => isNanosecondTime(schema[at]!)) : [],
    ),
  );
  const changed = Buffer.from(footer);
  let from = 0;
  for (const [at, element] of schema.entries()) {
    if (!isNanosecondTime(element)) continue;
    const places = TIMES.map((time) => footer.indexOf(time, from)).filter((place) => place !== -1);
    const place = Math.min(...places);
    if (places.length === 0) break;
    from = place + TIMES[0]!.length;
    if (wanted.has(at)) changed.set(TIMESTAMP, place);
  }
  const expected = schema.map((element, at) =>
    wanted.has(at)
      ? { ...element, logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "NANOS" } }
      : element,
  );
  if (isDeepStrictEqual(plain(parquetMetadata(Uint8Array.from(changed).buffer).schema), plain(expected))) {
    return changed;
  }
  const names = [...columns].map((place) => JSON.stringify(parents[place]!.name)).join(", ");
  const reason = `its times in nanoseconds (column ${names}) cannot be read with all digits; write them as text`;
  throw new AgnesError("file_unreadable", { path: originOf(file), reason });
}

/** The top-level columns of a schema, in order, each with the indexes of its elements. */
export function topLevel(
  schema: readonly SchemaElement[],
): readonly { readonly name: string; readonly elements: readonly number[] }[] {
  const columns: { readonly name: string; readonly elements: readonly number[] }[] = [];
  for (let at = 1; at < schema.length;) {
    const { name } = schema[at]!;
    const elements: number[] = [];
    for (let inner = 1; inner > 0 && at < schema.length; at++) {
      elements.push(at);
      inner += (schema[at]!.num_children ?? 0) - 1;
    }
    columns.push({ name, elements });
  }
  return columns;
}

/** Removes undefined values. */
const plain = (schema: readonly unknown[]): unknown => JSON.parse(JSON.stringify(schema));
