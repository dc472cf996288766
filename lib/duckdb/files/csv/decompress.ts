import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { originOf } from "../columns.ts";
import { openBytes, type HostFile } from "../open-bytes.ts";
import type { OpenFileOptions } from "../opened-file.ts";

/** Larger files are read compressed, to limit the space on the disk. */
const DECOMPRESSED_BYTES_MAX = 512 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** A decompressed copy of a file. */
export interface DecompressedFile {
  readonly file: HostFile;
  close(): Promise<void>;
}

/**
 * Decompresses a file into a temporary copy, which threads can read side by side and the automaton can check.
 *
 * @returns `null` if the copy would be too large
 * @throws `file_unreadable`, `disk_full`, `file_failed`, `aborted`
 */
export async function decompressedCopy(
  file: HostFile,
  { directory = tmpdir(), signal }: Pick<OpenFileOptions, "directory" | "signal">,
): Promise<DecompressedFile | null> {
  const { files } = file;
  const path = join(directory, `agnes-text-${process.pid}-${randomUUID()}.tmp`);
  const close = () => files.remove(path).catch(() => {});
  let sizeBytes = 0;
  const bytes = async function* () {
    for await (const chunk of openBytes(file, signal, CHUNK_BYTES)) {
      sizeBytes += chunk.length;
      if (sizeBytes > DECOMPRESSED_BYTES_MAX) return;
      yield chunk;
    }
  };
  try {
    await files.writeChunks(path, bytes());
  } catch (error) {
    await close();
    throw error;
  }
  if (sizeBytes > DECOMPRESSED_BYTES_MAX) {
    await close();
    return null;
  }
  return { file: { ...file, path, compression: "none", origin: originOf(file) }, close };
}
