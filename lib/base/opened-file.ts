import { constants, readSync } from "node:fs";
import { open } from "node:fs/promises";

import { fileError } from "./file-error.ts";

/** A file that is open for reads, and for writes if it was created or resumed; see `Files.open`. Positions are in bytes. */
export interface OpenedFile {
  /** The size when it was opened. */
  readonly sizeBytes: number;
  /** Fills a buffer from a position; returns the number of bytes read, which is smaller only at the end of the file. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** As `read`, but blocks the thread: for thousands of reads of a few bytes, which a promise each would slow down. */
  readSync(buffer: Uint8Array, position: number): number;
  /** Writes all bytes at a position, without making them durable. Bytes before it that were never written are zero. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens or creates a file; see `Files.open`.
 * @throws `file_failed`, `disk_full`
 */
export async function openFile(
  path: string,
  { create = false, resume = false }: { readonly create?: boolean; readonly resume?: boolean } = {},
): Promise<OpenedFile> {
  const failed = (operation: string) => (error: unknown) => {
    throw fileError(operation, path, error);
  };
  const flags = create ? "wx+" : resume ? constants.O_RDWR | constants.O_CREAT : "r";
  const handle = await open(path, flags, 0o600).catch(failed(create ? "create" : "open"));
  const size = async () => (create ? 0 : (await handle.stat()).size);
  const sizeBytes = await size().catch(async (error: unknown) => {
    await handle.close();
    return failed("stat")(error);
  });
  return {
    sizeBytes,
    async read(buffer, position) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position).catch(failed("read"));
      return bytesRead;
    },
    readSync(buffer, position) {
      try {
        return readSync(handle.fd, buffer, 0, buffer.length, position);
      } catch (error) {
        return failed("read")(error);
      }
    },
    async write(bytes, position) {
      for (let at = 0; at < bytes.length;) {
        const left = bytes.length - at;
        const { bytesWritten } = await handle.write(bytes, at, left, position + at).catch(failed("write"));
        at += bytesWritten;
      }
    },
    close: () => handle.close().catch(failed("close")),
  };
}
