import { open, realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip, createZstdCompress } from "node:zlib";

import { AgnesError, createHost, fileError, publishFile } from "../../lib/base/mod.ts";

/** The compression of an output file, determined by its extension. */
export type Compression = "none" | "gzip" | "zstd";

/** Splits the name of an output file into the name without the extension of the compression, and the compression. */
export function splitCompression(path: string): { readonly name: string; readonly compression: Compression } {
  const [, name, ending] = /^(.*)\.(gz|zst)$/i.exec(path) ?? [];
  if (name === undefined) return { name: path, compression: "none" };
  return { name, compression: ending!.toLowerCase() === "gz" ? "gzip" : "zstd" };
}

/**
 * Writes to the path of `--output`. A file is replaced by one rename after `write` ends. The target of a link is
 * replaced, not the link. Devices and pipes are written to directly.
 *
 * @throws `disk_full`, `file_failed`, and the errors of `write`
 */
export async function writeOutput(
  output: string,
  write: (path: string, isFile: boolean) => Promise<void>,
): Promise<void> {
  const target = resolve(output);
  const found = await stat(target).catch(() => undefined);
  if (found?.isDirectory() === true) {
    throw new AgnesError("file_failed", { operation: "write", path: target, reason: "it is a folder" });
  }
  if (found === undefined || found.isFile()) {
    const path = await realpath(target).catch(() => target);
    await publishFile(createHost(), path, (temporary) => write(temporary, true));
  } else await write(target, false);
}

/** Writes pieces to a path, optionally compressed. @throws `disk_full`, `file_failed`, and the errors of the pieces */
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
