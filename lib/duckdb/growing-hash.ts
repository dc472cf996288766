import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

const CHUNK_BYTES = 1024 * 1024;
const POLL_MS = 10;
/** How many bytes DuckDB may have written that the disk was not asked to keep yet. */
const UNSYNCED_BYTES_MAX = 16 * CHUNK_BYTES;

/**
 * The SHA-256 of a file that DuckDB is writing, computed while it grows: when the copy ends, only the last bytes are left to
 * read. DuckDB only appends to a Parquet file. The disk is asked to keep the bytes meanwhile, so that the sync that makes
 * the file durable is short, too.
 */
export class GrowingHash {
  readonly #path: string;
  readonly #hash = createHash("sha256");
  readonly #following: Promise<void>;
  #position = 0;
  #syncedPosition = 0;
  #syncing: Promise<void> | null = null;
  #isWhole = false;
  #isStopped = false;
  #wake: () => void = () => {};

  /** @param path a file that is not there yet */
  constructor(path: string) {
    this.#path = path;
    this.#following = this.#follow();
    this.#following.catch(() => {});
  }

  /** The hash as 64 hexadecimal digits; null when the file does not have exactly that many bytes. */
  async finish(sizeBytes: number): Promise<string | null> {
    this.#isWhole = true;
    this.#wake();
    await this.#following;
    return this.#position === sizeBytes ? this.#hash.digest("hex") : null;
  }

  /** Stops reading; resolves when the file is closed. */
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
        const isWhole = this.#isWhole;
        handle ??= await open(this.#path).catch(() => null);
        const read = handle === null ? 0 : await this.#readInto(handle, buffer);
        if (read > 0) {
          this.#syncSoon(handle!);
          continue;
        }
        if (isWhole) return;
        await this.#pause();
      }
    } finally {
      await this.#syncing;
      await handle?.close();
    }
  }

  #syncSoon(handle: FileHandle): void {
    if (this.#syncing !== null || this.#position - this.#syncedPosition < UNSYNCED_BYTES_MAX) return;
    this.#syncedPosition = this.#position;
    // Where it fails or a file that is open for reading cannot be synced, the sync of the whole file decides.
    this.#syncing = handle
      .datasync()
      .catch(() => {})
      .then(() => void (this.#syncing = null));
  }

  async #pause(): Promise<void> {
    if (this.#isWhole || this.#isStopped) return;
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
