import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";

import { fileError } from "../../lib/base/mod.ts";

/** The compression of an output file, determined by its extension. */
export type Compression = "none" | "gzip" | "zstd";

/** Splits the name of an output file into the name without the extension of the compression, and the compression. */
export function splitCompression(path: string): { readonly name: string; readonly compression: Compression } {
  const [, name, ending] = /^(.*)\.(gz|zst)$/i.exec(path) ?? [];
  if (name === undefined) return { name: path, compression: "none" };
  return { name, compression: ending!.toLowerCase() === "gz" ? "gzip" : "zstd" };
}

/**
 * Writes pieces to a path as `writeOutput` requires, optionally compressed.
 * @throws `disk_full`, `file_failed`, and the errors of the pieces
 */
export async function writePieces(
  { path, isFile }: { readonly path: string; readonly isFile: boolean },
  pieces: AsyncIterable<string | Uint8Array> | readonly string[],
  compression: Compression = "none",
): Promise<void> {
  const failed = (error: unknown): never => {
    throw fileError("write", path, error);
  };
  const handle = await open(path, isFile ? "w" : "a").catch(failed);
  const write = async (bytes: typeof pieces) => {
    for await (const piece of bytes) await handle.writeFile(piece).catch(failed);
  };
  try {
    if (compression === "none") await write(pieces);
    else await pipeline(pieces, compression === "gzip" ? createGzip() : createZstdCompress(), write);
  } finally {
    await handle.close().catch(failed);
  }
}
