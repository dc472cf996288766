import { join } from "node:path";

import { randomName, throwIfAborted, type Host } from "../base/mod.ts";
import type { FileChunk } from "../kit/mod.ts";

/** A file chunk on disk. */
type LocalFileChunk = FileChunk & { readonly data: string };

/** A chunk as a local file. Call `remove` after reading it. */
export interface SpooledChunk {
  readonly chunk: LocalFileChunk;
  readonly sizeBytes: number;
  remove(): Promise<void>;
}

/**
 * Converts a file chunk to a local file: bytes are written into `directory`, a chunk with a path is returned unchanged.
 * @throws `disk_full`, `file_failed`, `aborted`, or the error of the byte stream
 */
export async function spoolBytes(
  host: Pick<Host, "files" | "random">,
  chunk: FileChunk,
  directory: string,
  signal?: AbortSignal,
): Promise<SpooledChunk> {
  const { data } = chunk;
  if (typeof data === "string") return { chunk: { ...chunk, data }, sizeBytes: 0, remove: async () => {} };
  const path = join(directory, `spool-${process.pid}-${randomName(host)}.tmp`);
  const remove = () => host.files.remove(path);
  let sizeBytes = 0;
  const counted = async function* () {
    for await (const bytes of data) {
      throwIfAborted(signal, "reading the file");
      yield bytes;
      sizeBytes += bytes.length;
    }
  };
  try {
    await host.files.writeChunks(path, counted());
  } catch (error) {
    // The failure of the chunk is what matters.
    await remove().catch(() => {});
    throw error;
  }
  const compression =
    chunk.compression === undefined || chunk.compression === "auto" ? "none" : chunk.compression;
  // The path is a temporary one.
  const { label = "a yielded file" } = chunk;
  return { chunk: { ...chunk, label, data: path, compression }, sizeBytes, remove };
}
