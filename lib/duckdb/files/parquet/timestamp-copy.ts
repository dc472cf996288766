import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { parquetMetadata, type FileMetaData, type SchemaElement } from "hyparquet";

import { AgnesError, throwIfAborted, type OpenedFile } from "../../../base/mod.ts";
import { withParquet } from "../../parquet-footer.ts";
import { originOf } from "../columns.ts";
import type { HostFile } from "../open-bytes.ts";

export interface CopyOptions {
  /** The folder of the copy. Default: the system's folder for temporary files. */
  readonly directory?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The length of the footer's size and the magic number after it. */
const TAIL_BYTES = 8;
const MAGIC_BYTES = 4;
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
 * @throws `file_unreadable` if the encoding of the footer is not supported, `file_failed`, `disk_full`
 */
export async function copyWithTimestamps(
  file: HostFile,
  columns: ReadonlySet<number>,
  options: CopyOptions & {
    /** Whether the copy contains only these columns; others must not be read from it. */
    readonly isSparse: boolean;
  },
): Promise<{ readonly path: string } & AsyncDisposable> {
  const { files } = file;
  const path = join(options.directory ?? tmpdir(), `agnes-times-${process.pid}-${randomUUID()}.tmp`);
  const dispose = () => files.remove(path).catch(() => {});
  try {
    await withParquet(files, file.path, async (metadata, bytes, source) => {
      const footerStart = bytes.byteLength - metadata.metadata_length - TAIL_BYTES;
      const places = options.isSparse ? placesOf(metadata, columns) : [[0, footerStart] as const];
      const target = await files.open(path, { create: true });
      try {
        await copyPlaces(source, target, places, options.signal);
        const footer = Buffer.from(await bytes.slice(footerStart));
        await target.write(changedFooter(file, footer, metadata, columns), footerStart);
      } finally {
        await target.close();
      }
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: dispose };
}

type Place = readonly [start: number, end: number];

/** The magic number and the values of columns. */
function placesOf({ row_groups, schema }: FileMetaData, columns: ReadonlySet<number>): readonly Place[] {
  const names = new Set(
    topLevel(schema)
      .filter((_, at) => columns.has(at))
      .map(({ name }) => name),
  );
  const values = row_groups.flatMap((group) =>
    group.columns.flatMap(({ meta_data: chunk }): Place[] => {
      if (chunk === undefined || !names.has(chunk.path_in_schema[0]!)) return [];
      // Some writers store 0 as the offset of a missing dictionary.
      const pages = [chunk.data_page_offset, chunk.dictionary_page_offset].filter((page) => !!page);
      const start = Math.min(...pages.map(Number));
      return [[start, start + Number(chunk.total_compressed_size)]];
    }),
  );
  return [[0, MAGIC_BYTES], ...values];
}

/** Copies parts of a file to the same offsets; the rest of the target is a hole. */
async function copyPlaces(
  source: OpenedFile,
  target: OpenedFile,
  places: readonly Place[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const piece = Buffer.alloc(PIECE_BYTES);
  for (const [start, end] of places) {
    for (let at = start; at < end;) {
      throwIfAborted(signal, "reading a file");
      const bytesRead = await source.read(piece.subarray(0, end - at), at);
      if (bytesRead === 0) throw new Error("the file ended early");
      await target.write(piece.subarray(0, bytesRead), at);
      at += bytesRead;
    }
  }
}

/** Changes the times of a footer in place and verifies the result by parsing it. */
function changedFooter(
  file: HostFile,
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
