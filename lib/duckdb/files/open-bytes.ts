import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import * as zlib from "node:zlib";

import { AgnesError, messageOf } from "../../base/mod.ts";
import type { FileInput } from "../../kit/mod.ts";

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
 * Reads and decompresses a file. Leaving the loop closes it.
 *
 * @param chunkBytes the bytes per read; larger reads are faster for whole files
 * @throws `file_unreadable`
 */
export async function* openBytes(
  file: FileInput,
  signal?: AbortSignal,
  chunkBytes: number = 64 * 1024,
): AsyncGenerator<Uint8Array> {
  // An empty file counts as empty, although decompressors treat it as truncated.
  const isBlank = (await stat(file.path).catch(() => null))?.size === 0;
  const kind = isBlank ? "none" : compressionOf(file);
  const source = createReadStream(file.path, {
    highWaterMark: chunkBytes,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    if (kind === "none") yield* source as AsyncIterable<Uint8Array>;
    else if (kind === "gzip") yield* through(source, zlib.createGunzip());
    else yield* zstdBytes(source);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    const reason = messageOf(error).replace(` '${file.path}'`, "");
    throw new AgnesError("file_unreadable", { path: file.origin ?? file.path, reason }, { cause: error });
  } finally {
    source.destroy();
  }
}

async function* through(
  source: ReturnType<typeof createReadStream>,
  decompress: zlib.Gunzip,
): AsyncGenerator<Uint8Array> {
  source.on("error", (error) => decompress.destroy(error));
  source.pipe(decompress);
  try {
    yield* decompress as AsyncIterable<Uint8Array>;
  } finally {
    decompress.destroy();
  }
}

/** Uses the runtime's decompressor if it has one, as Node does since 22.15. */
async function* zstdBytes(source: ReturnType<typeof createReadStream>): AsyncGenerator<Uint8Array> {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => zlib.Gunzip };
  if (createZstdDecompress !== undefined) {
    yield* through(source, createZstdDecompress());
    return;
  }
  const { Decompress } = await import("fzstd");
  const ready: Uint8Array[] = [];
  const stream = new Decompress((chunk) => void ready.push(chunk));
  for await (const bytes of source as AsyncIterable<Uint8Array>) {
    stream.push(bytes);
    yield* ready.splice(0);
  }
  stream.push(new Uint8Array(), true);
  yield* ready.splice(0);
}

/** Reads about the first `maxBytes` decompressed bytes of a file, and whether that is the whole file. */
export async function readHead(
  file: FileInput,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const bytes of openBytes(file, signal)) {
    chunks.push(bytes);
    sizeBytes += bytes.length;
    if (sizeBytes >= maxBytes) return { bytes: Buffer.concat(chunks), isWhole: false };
  }
  return { bytes: Buffer.concat(chunks), isWhole: true };
}
