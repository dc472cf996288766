import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import * as zlib from "node:zlib";

import { AgnesError, messageOf } from "../../base/mod.ts";
import type { FileInput } from "../../kit/mod.ts";

/** How the bytes of a file are compressed, by what is said or by its ending. */
export function compressionOf({
  path,
  compression = "auto",
}: Pick<FileInput, "path" | "compression">): "none" | "gzip" | "zstd" {
  if (compression !== "auto") return compression;
  if (/\.(gz|gzip)$/i.test(path)) return "gzip";
  return /\.(zst|zstd)$/i.test(path) ? "zstd" : "none";
}

/**
 * The bytes of a file, decompressed. Leaving the loop closes it.
 *
 * @param chunkBytes how many are read at once; more of them make a whole file faster
 * @throws `file_unreadable`
 */
export async function* openBytes(
  file: FileInput,
  signal?: AbortSignal,
  chunkBytes: number = 64 * 1024,
): AsyncGenerator<Uint8Array> {
  // A compressed file of no bytes is cut off to its decompressor, but to people it is empty.
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

/** With the runtime's own decompressor where it has one: Node has it since 22.15. */
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

/** The first bytes of a file, decompressed: at most about `maxBytes`, and whether that is all. */
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
