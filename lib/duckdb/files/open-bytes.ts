import { Readable } from "node:stream";
import * as zlib from "node:zlib";

import { AgnesError, isAgnesError, messageOf, throwIfAborted, type Files } from "../../base/mod.ts";
import type { FileChunk, FileInput } from "../../kit/mod.ts";
import { originOf } from "./columns.ts";

/** A file with the file system that contains it. */
export interface HostFile extends FileInput {
  readonly files: Files;
}

/** The file of a chunk on disk. */
export function hostFile(
  { data: path, compression, label, origin = label, constants }: FileChunk & { readonly data: string },
  { files }: { readonly files: Files },
): HostFile {
  return {
    files,
    path,
    ...(compression === undefined ? {} : { compression }),
    ...(origin === undefined ? {} : { origin }),
    ...(constants === undefined ? {} : { constants }),
  };
}

/** The compression of a file: as configured, or by its extension. */
export function compressionOf({
  path,
  compression = "auto",
}: Pick<FileInput, "path" | "compression">): "none" | "gzip" | "zstd" {
  if (compression !== "auto") return compression;
  if (/\.(gz|gzip)$/i.test(path)) return "gzip";
  return /\.(zst|zstd)$/i.test(path) ? "zstd" : "none";
}

/**
 * Reads and decompresses a file. Leaving the loop closes it. A chunk is valid until the next one is requested.
 *
 * @param chunkBytes the bytes per read and per decompressed chunk; larger ones are faster for whole files
 * @throws `file_unreadable`, `aborted`
 */
export async function* openBytes(
  file: HostFile,
  signal?: AbortSignal,
  chunkBytes: number = 64 * 1024,
): AsyncGenerator<Uint8Array> {
  try {
    const source = chunksOf(file, chunkBytes, signal);
    const compression = compressionOf(file);
    if (compression === "none") yield* source;
    // An empty file counts as empty, although decompressors treat it as truncated.
    else if ((await file.files.stat(file.path))?.sizeBytes === 0) return;
    else if (compression === "gzip") yield* through(source, zlib.createGunzip({ chunkSize: chunkBytes }));
    else yield* zstdBytes(source);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    // The message of the operating system is more precise than its code.
    const failure = isAgnesError(error) ? (error.cause ?? error) : error;
    const reason = messageOf(failure).replace(` '${file.path}'`, "");
    throw new AgnesError("file_unreadable", { path: originOf(file), reason }, { cause: error });
  }
}

async function* chunksOf(
  file: HostFile,
  chunkBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of file.files.readChunks(file.path, chunkBytes)) {
    throwIfAborted(signal, `reading ${originOf(file)}`);
    yield chunk;
  }
}

async function* through(
  source: AsyncIterable<Uint8Array>,
  decompress: zlib.Gunzip,
): AsyncGenerator<Uint8Array> {
  const compressed = Readable.from(copiesOf(source), { highWaterMark: 1 });
  compressed.on("error", (error) => decompress.destroy(error));
  compressed.pipe(decompress);
  try {
    yield* decompress as AsyncIterable<Uint8Array>;
  } finally {
    decompress.destroy();
    compressed.destroy();
  }
}

/** Streams read ahead, but a chunk is valid only until the next one. */
async function* copiesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield Buffer.from(chunk);
}

/** Uses the runtime's decompressor if it has one, as Node does since 22.15. */
async function* zstdBytes(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => zlib.Gunzip };
  if (createZstdDecompress !== undefined) {
    yield* through(source, createZstdDecompress());
    return;
  }
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  const stream = new Decompress((chunk) => void ready.push(chunk));
  for await (const bytes of source) {
    stream.push(Buffer.from(bytes));
    yield* ready.splice(0);
  }
  stream.push(new Uint8Array(), true);
  yield* ready.splice(0);
}

/** Reads about the first `maxBytes` decompressed bytes of a file, and whether that is the whole file. */
export async function readHead(
  file: HostFile,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const bytes of openBytes(file, signal)) {
    chunks.push(Buffer.from(bytes));
    sizeBytes += bytes.length;
    if (sizeBytes >= maxBytes) return { bytes: Buffer.concat(chunks), isWhole: false };
  }
  return { bytes: Buffer.concat(chunks), isWhole: true };
}
