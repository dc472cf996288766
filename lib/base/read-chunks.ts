import { open } from "node:fs/promises";

import { fileError } from "./file-error.ts";

/**
 * Yields the bytes of a file in chunks, and reads the next chunk ahead.
 *
 * A chunk is valid until the next one is requested, and begins at the start of its buffer.
 * @throws `file_failed` if the file cannot be opened or read
 */
export async function* readChunks(
  path: string,
  chunkBytes: number,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
  const handle = await open(path).catch((error: unknown) => {
    throw fileError("open", path, error);
  });
  const buffers = [new Uint8Array(chunkBytes), new Uint8Array(chunkBytes)] as const;
  let reading = handle.read(buffers[0], 0, chunkBytes);
  try {
    for (let at = 0; ; at++) {
      const { bytesRead, buffer } = await reading;
      if (bytesRead === 0) return;
      reading = handle.read(buffers[at % 2 === 0 ? 1 : 0], 0, chunkBytes);
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw fileError("read", path, error);
  } finally {
    // The handle must not be closed during a read.
    await reading.catch(() => {});
    await handle.close();
  }
}
