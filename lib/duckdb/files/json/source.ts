import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import * as zlib from "node:zlib";

import { AgnesError, isAgnesError, messageOf } from "../../../base/mod.ts";
import type { FileInput } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { escapeGlob } from "../../file-relation.ts";
import { quoteLiteral } from "../../sql.ts";

/** How a file of text begins. */
export type TextEncoding = "utf-8" | "utf-8-bom" | "utf-16le" | "utf-16be";

/** A JSON file as bytes of UTF-8. */
export interface JsonBytes {
  readonly encoding: TextEncoding;
  /** Without a byte order mark; to be read once. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface BytesOptions {
  readonly connection: Connection;
  /** Where a file may be written that is removed again. Default: the system's directory for such files. */
  readonly directory?: string;
  readonly signal?: AbortSignal | undefined;
}

const CHUNK_BYTES = 256 * 1024;

export const originOf = (file: FileInput): string => file.origin ?? file.path;

/** How a file is compressed: what is said of it, else by its ending. */
export function compressionOf({ path, compression = "auto" }: FileInput): "none" | "gzip" | "zstd" {
  if (compression !== "auto") return compression;
  if (/\.(gz|gzip)$/i.test(path)) return "gzip";
  return /\.(zst|zstd)$/i.test(path) ? "zstd" : "none";
}

/** @throws `file_unreadable` */
export async function jsonBytes(file: FileInput, options: BytesOptions): Promise<JsonBytes> {
  const raw = named(file, plainBytes(file, options))[Symbol.asyncIterator]();
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < 4) {
    const next = await raw.next();
    if (next.done === true) break;
    first = Buffer.concat([first, next.value]);
  }
  const encoding = encodingOf(first);
  const marked = encoding === "utf-8" ? 0 : encoding === "utf-8-bom" ? 3 : 2;
  const rest = rejoined(first.subarray(marked), raw);
  return { encoding, chunks: encoding.startsWith("utf-16") ? transcoded(file, rest, encoding) : rest };
}

function encodingOf(bytes: Uint8Array): TextEncoding {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8-bom";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return "utf-8";
}

function plainBytes(file: FileInput, { connection, signal }: BytesOptions): AsyncIterable<Uint8Array> {
  const compression = compressionOf(file);
  if (compression === "zstd" && zstdStream === undefined) return linesByDuckDB(file.path, connection, signal);
  const source = createReadStream(file.path, { highWaterMark: CHUNK_BYTES, signal });
  if (compression === "none") return source;
  const unpacked: NodeJS.ReadWriteStream & Readable =
    compression === "gzip" ? zlib.createGunzip({ chunkSize: CHUNK_BYTES }) : zstdStream!({ chunkSize: CHUNK_BYTES });
  source.once("error", (error) => unpacked.destroy(error));
  return source.pipe(unpacked);
}

/** Node has it from 22.15 on. */
const zstdStream = (zlib as { createZstdDecompress?: (options: object) => zlib.Gunzip }).createZstdDecompress;

/** The lines of a file that only DuckDB can unpack. */
async function* linesByDuckDB(
  path: string,
  connection: Connection,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const lines = `read_csv([${quoteLiteral(escapeGlob(path))}], compression = 'zstd', auto_detect = false, header = false,
    delim = '\u0001', quote = '', escape = '', columns = {'line': 'VARCHAR'}, max_line_size = 33554432)`;
  const { batches } = await connection.stream(`SELECT line FROM ${lines}`, signal === undefined ? {} : { signal });
  for await (const batch of batches) {
    const column = batch.getChildAt(0);
    const texts: string[] = [];
    for (let at = 0; at < batch.numRows; at++) texts.push(`${String(column?.get(at) ?? "")}\n`);
    yield Buffer.from(texts.join(""));
  }
}

async function* named(file: FileInput, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    if (isAgnesError(error) || (error as { name?: string }).name === "AbortError") throw error;
    throw new AgnesError("file_unreadable", { path: originOf(file), reason: messageOf(error) }, { cause: error });
  }
}

async function* rejoined(first: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* transcoded(
  file: FileInput,
  bytes: AsyncIterable<Uint8Array>,
  encoding: TextEncoding,
): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder("utf-16le", { fatal: true });
  let odd: Uint8Array = new Uint8Array(0);
  const decode = (chunk: Uint8Array, stream: boolean) => {
    try {
      return Buffer.from(decoder.decode(chunk, { stream }));
    } catch {
      throw new AgnesError("file_unreadable", { path: originOf(file), reason: "it is not valid UTF-16" });
    }
  };
  for await (const chunk of bytes) {
    const whole = Buffer.concat([odd, chunk]);
    const even = whole.subarray(0, whole.length - (whole.length % 2));
    odd = whole.subarray(even.length);
    if (encoding === "utf-16be") even.swap16();
    yield decode(even, true);
  }
  yield decode(odd, false);
}
