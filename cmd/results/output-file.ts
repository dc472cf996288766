import { open, realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";

import { AgnesError, createHost, fileError, publishFile } from "../../lib/base/mod.ts";

/** How the bytes of an output file are compressed, by its ending. */
export type Compression = "none" | "gzip" | "zstd";

/** The name of an output file without the ending of its compression, and that compression. */
export function splitCompression(path: string): { readonly name: string; readonly compression: Compression } {
  const [, name, ending] = /^(.*)\.(gz|zst)$/i.exec(path) ?? [];
  if (name === undefined) return { name: path, compression: "none" };
  return { name, compression: ending!.toLowerCase() === "gz" ? "gzip" : "zstd" };
}

/**
 * Writes to the path that a person gave. A file is replaced by one rename when `write` is done; what a link leads to is
 * replaced, not the link; a device or a pipe is written to as it is.
 *
 * @throws `disk_full`, `file_failed`, what `write` throws
 */
export async function writeOutput(
  output: string,
  write: (path: string, isFile: boolean) => Promise<void>,
): Promise<void> {
  const given = resolve(output);
  const found = await stat(given).catch(() => undefined);
  if (found?.isDirectory() === true) {
    throw new AgnesError("file_failed", { operation: "write", path: given, reason: "it is a folder" });
  }
  if (found === undefined || found.isFile()) {
    const path = await realpath(given).catch(() => given);
    await publishFile(createHost(), path, (temporary) => write(temporary, true));
  } else await write(given, false);
}

/** Writes pieces to a path, compressed if wanted. @throws `disk_full`, `file_failed`, what the pieces throw */
export async function writePieces(
  path: string,
  pieces: AsyncIterable<string | Uint8Array>,
  compression: Compression = "none",
): Promise<void> {
  const failed = (error: unknown): never => {
    throw fileError("write", path, error);
  };
  const handle = await open(path, "w").catch(failed);
  const write = async (bytes: AsyncIterable<string | Uint8Array>) => {
    for await (const piece of bytes) await handle.writeFile(piece).catch(failed);
  };
  try {
    if (compression === "none") await write(pieces);
    else await pipeline(pieces, compression === "gzip" ? createGzip() : createZstdCompress(), write);
  } finally {
    await handle.close().catch(failed);
  }
}
