import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

const CHUNK_BYTES = 1024 * 1024;
const POLL_MS = 10;

/**
 * Computes the SHA-256 of a file while DuckDB writes it, so that only its last part is left to read when the copy ends.
 * DuckDB only appends to a Parquet file.
 */
export class GrowingHash {
  readonly #path: string;
  readonly #hash = createHash("sha256");
  readonly #following: Promise<void>;
  #position = 0;
  #isComplete = false;
  #isStopped = false;
  #wake: () => void = () => {};

  /** @param path a file that does not exist yet */
  constructor(path: string) {
    this.#path = path;
    this.#following = this.#follow();
    this.#following.catch(() => {});
  }

  /** Returns the hash as 64 hexadecimal digits; null if the size of the file differs from `sizeBytes`. */
  async finish(sizeBytes: number): Promise<string | null> {
    this.#isComplete = true;
    this.#wake();
    await this.#following;
    return this.#position === sizeBytes ? this.#hash.digest("hex") : null;
  }

  /** Stops reading and resolves after the file is closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#following.catch(() => {});
  }

  async #follow(): Promise<void> {
    let handle: FileHandle | null = null;
    try {
      const buffer = new Uint8Array(CHUNK_BYTES);
      while (!this.#isStopped) {
        const isComplete = this.#isComplete;
        handle ??= await open(this.#path).catch(() => null);
        const read = handle === null ? 0 : await this.#readInto(handle, buffer);
        if (read > 0) continue;
        if (isComplete) return;
        await this.#pause();
      }
    } finally {
      await handle?.close();
    }
  }

  async #pause(): Promise<void> {
    if (this.#isComplete || this.#isStopped) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, POLL_MS);
    });
    clearTimeout(timer);
  }

  async #readInto(handle: FileHandle, buffer: Uint8Array): Promise<number> {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, this.#position);
    this.#hash.update(buffer.subarray(0, bytesRead));
    this.#position += bytesRead;
    return bytesRead;
  }
}
