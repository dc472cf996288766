import { createHash } from "node:crypto";

import type { Files, OpenedFile } from "../base/mod.ts";

const CHUNK_BYTES = 1024 * 1024;
const POLL_MS = 10;
/** The bytes between two syncs. The last sync of a file of 120 MB takes as long as a tenth of its copy. */
const SYNC_BYTES = 16 * 1024 * 1024;

/**
 * Computes the SHA-256 of a file and sends it to the disk while DuckDB writes it, so that only its last part is left to
 * read and to sync when the copy ends. DuckDB only appends to a Parquet file.
 */
export class GrowingHash {
  readonly #files: Files;
  readonly #path: string;
  readonly #hash = createHash("sha256");
  readonly #following: Promise<void>;
  #position = 0;
  #syncedTo = 0;
  /** The running sync, at most one, because it occupies a thread of the pool. */
  #syncing: Promise<void> | null = null;
  #isComplete = false;
  #isStopped = false;
  #wake: () => void = () => {};

  /** @param path a file that does not exist yet */
  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
    this.#following = this.#follow();
    this.#following.catch(() => {});
  }

  /**
   * Returns the hash as 64 hexadecimal digits; null if the size of the file differs from `sizeBytes`. The caller syncs the
   * rest of the file.
   *
   * @throws `disk_full`, `file_failed`; the system reports a failure to write to one sync only, which may be an early one
   */
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
    let file: OpenedFile | null = null;
    try {
      const buffer = new Uint8Array(CHUNK_BYTES);
      while (!this.#isStopped) {
        const isComplete = this.#isComplete;
        file ??= await this.#open();
        const read = file === null ? 0 : await this.#readInto(file, buffer);
        if (!isComplete) this.#syncEarly();
        if (read > 0) continue;
        if (isComplete) break;
        await this.#pause();
      }
      await this.#syncing;
    } finally {
      await this.#syncing?.catch(() => {});
      await file?.close();
    }
  }

  #syncEarly(): void {
    if (this.#syncing !== null || this.#position - this.#syncedTo < SYNC_BYTES) return;
    this.#syncedTo = this.#position;
    const syncing = this.#files.sync(this.#path).then(() => {
      this.#syncing = null;
    });
    // After a failure it stays, and `finish` throws its error.
    syncing.catch(() => {});
    this.#syncing = syncing;
  }

  /** `null` until DuckDB creates the file. */
  async #open(): Promise<OpenedFile | null> {
    return (await this.#files.stat(this.#path)) === null ? null : this.#files.open(this.#path);
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

  async #readInto(file: OpenedFile, buffer: Uint8Array): Promise<number> {
    const bytesRead = await file.read(buffer, this.#position);
    this.#hash.update(buffer.subarray(0, bytesRead));
    this.#position += bytesRead;
    return bytesRead;
  }
}
