import { createReadStream, type ReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";

import { AgnesError } from "agnes/kit";

import {
  checkDecompressedSize,
  DEFAULT_DECOMPRESSION_LIMITS,
  type DecompressionLimits,
} from "./decompression-limits.ts";
import { fileFailure, unusable } from "./failures.ts";

/** Options of `decompressed`. */
export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Default: `DEFAULT_DECOMPRESSION_LIMITS`. */
  readonly limits?: DecompressionLimits;
}

const CHUNK_BYTES = 256 * 1024;

/** The compression of a file by its extension; `null` for an uncompressed file. */
export function compressionOf(path: string): "gzip" | "zstd" | null {
  if (/\.gz$/i.test(path)) return "gzip";
  return /\.zst$/i.test(path) ? "zstd" : null;
}

/**
 * Reads the bytes of a file and decompresses `.gz` and `.zst` files. A truncated zstd file yields the bytes before its
 * end. An empty file yields no bytes, regardless of its extension.
 *
 * @throws `file_unreadable` for compressed data that is damaged or followed by other bytes,
 *   `files/decompression_limit`, `files/entry_unusable` unless it is a regular file, `file_failed`
 */
export async function* decompressed(
  path: string,
  { signal, limits = DEFAULT_DECOMPRESSION_LIMITS }: OpenOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const found = await stat(path).catch((error: unknown) => {
    throw failureOf(path, signal, error);
  });
  if (!found.isFile()) throw unusable(path, "it is not a regular file");
  const compression = compressionOf(path);
  if (compression !== null && found.size === 0) return;
  const raw = createReadStream(path, { signal, highWaterMark: CHUNK_BYTES });
  try {
    if (compression === null) return yield* raw as AsyncIterable<Uint8Array>;
    let decompressedBytes = 0;
    for await (const chunk of compression === "gzip" ? gunzipped(raw) : unzstd(raw)) {
      decompressedBytes += chunk.length;
      checkDecompressedSize(path, { compressedBytes: found.size, decompressedBytes }, limits);
      yield chunk;
    }
  } catch (error) {
    throw failureOf(path, signal, error);
  } finally {
    raw.destroy();
  }
}

async function* gunzipped(raw: ReadStream): AsyncGenerator<Uint8Array, void, void> {
  const gunzip = zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  yield* through(raw, gunzip);
  // zlib ignores zeros after the end, but DuckDB does not.
  const rest = raw.bytesRead - gunzip.bytesWritten;
  if (rest > 0)
    throw new Error(
      rest === 1
        ? "a byte follows the end of the compressed data"
        : `${rest} bytes follow the end of the compressed data`,
    );
}

async function* unzstd(raw: ReadStream): AsyncGenerator<Uint8Array, void, void> {
  // Available in Bun and in Node since 22.15.
  if (typeof zlib.createZstdDecompress === "function") {
    return yield* through(raw, zlib.createZstdDecompress({ chunkSize: CHUNK_BYTES }));
  }
  yield* unzstdInScript(raw);
}

/** Decompresses zstd in JavaScript, several times slower, for runtimes without zstd. */
export async function* unzstdInScript(
  raw: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const { Decompress } = await import("fzstd");
  let ready: Uint8Array[] = [];
  const stream = new Decompress((chunk) => ready.push(chunk));
  for await (const bytes of raw) {
    stream.push(bytes);
    yield* ready;
    ready = [];
  }
  stream.push(new Uint8Array(0), true);
  yield* ready;
}

async function* through(raw: ReadStream, transform: Transform): AsyncGenerator<Uint8Array, void, void> {
  raw.once("error", (error) => transform.destroy(error));
  try {
    yield* raw.pipe(transform) as AsyncIterable<Uint8Array>;
  } finally {
    transform.destroy();
  }
}

function failureOf(path: string, signal: AbortSignal, error: unknown): unknown {
  if (signal.aborted || error instanceof AgnesError) return error;
  const isSystemError = error instanceof Error && "syscall" in error;
  if (isSystemError) return fileFailure("read", path, error);
  const reason = error instanceof Error ? error.message : String(error);
  return new AgnesError("file_unreadable", { path, reason }, { cause: error });
}
