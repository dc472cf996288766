import { Buffer } from "node:buffer";

import { AgnesError, messageOf, StallTimer, type Files, type OpenedFile } from "../../base/mod.ts";

/** The space for rows that wait for their readers, shared by all queries. */
export interface BufferSpace {
  readonly files: Files;
  /** Returns the path of a new file. */
  readonly newPath: () => Promise<string>;
  /** The maximum size in memory, of each query. */
  readonly memoryBytes: number;
  /** The maximum size of all files. */
  readonly filesBytes: number;
  /** The current size of all files. */
  usedBytes: number;
  /** The time after which a reader that takes nothing ends its query. */
  readonly stalledMs: number;
}

/** The size of a read from a file. */
const READ_BYTES = 1 << 18;

/**
 * The bytes of one result between its worker process and its reader, in order: first in memory, then in a temporary file.
 * So a slow reader does not hold the process, unless the files are full.
 */
export class ResultBuffer {
  readonly #space: BufferSpace;
  readonly #onRoom: () => void;
  readonly #stall: StallTimer;
  /** The next bytes. */
  #memory: Buffer[] = [];
  #memoryBytes = 0;
  /** The file of the bytes after those in memory; none if all bytes are in memory. */
  #file: { readonly path: string; readonly opened: OpenedFile } | null = null;
  #written = 0;
  #read = 0;
  /** The last bytes, which are neither in memory nor in the file yet. */
  #pending: Buffer[] = [];
  #isStoring = false;
  #isEnded = false;
  /** Set once the buffer takes and returns no more bytes. */
  #closed: { readonly error: Error | null } | null = null;
  #wake: (() => void) | null = null;

  /**
   * @param onRoom called when `write` returned false and there is room again
   * @param onStalled called when nothing was taken for too long; the buffer then fails with this error
   */
  constructor(space: BufferSpace, onRoom: () => void, onStalled: (error: AgnesError) => void) {
    this.#space = space;
    this.#onRoom = onRoom;
    const { stalledMs } = space;
    this.#stall = new StallTimer(stalledMs, () => {
      const error = new AgnesError("rows_not_read", { stalledMs });
      this.close(error);
      onStalled(error);
    });
  }

  /** Whether it takes and returns no more bytes. */
  get isClosed(): boolean {
    return this.#closed !== null;
  }

  /** Adds bytes. @returns whether there is room for more */
  write(bytes: Buffer): boolean {
    if (this.#closed !== null) return true;
    this.#stall.start();
    if (this.#pending.length === 0 && this.#fitsMemory(bytes)) {
      this.#addToMemory(bytes);
      return true;
    }
    this.#pending.push(bytes);
    void this.#store();
    return this.#pending.length === 0;
  }

  /** Marks the end of the bytes. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** Discards all bytes. @param error what the reader gets; null: no more bytes */
  close(error: unknown): void {
    if (this.#closed !== null) return;
    this.#closed = { error: error === null || error instanceof Error ? error : new Error(messageOf(error)) };
    this.#stall.close();
    this.#memory = [];
    this.#pending = [];
    this.#wake?.();
    this.#onRoom();
    if (!this.#isStoring) void this.#removeFile();
  }

  /** Returns the next bytes; null at the end. */
  async next(): Promise<Buffer | null> {
    this.#stall.stop();
    for (;;) {
      if (this.#closed !== null) {
        if (this.#closed.error === null) return null;
        throw this.#closed.error;
      }
      const bytes = this.#takeFromMemory() ?? (await this.#takeFromFile());
      if (this.#closed !== null) continue;
      if (this.#pending.length > 0) void this.#store();
      if (bytes !== null) {
        this.#stall.start();
        return bytes;
      }
      if (this.#memory.length > 0) continue;
      if (this.#isEnded && this.#pending.length === 0) return this.#finish();
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }

  #finish(): null {
    this.close(null);
    return null;
  }

  #fitsMemory(bytes: Buffer): boolean {
    if (this.#file !== null) return false;
    return this.#memory.length === 0 || this.#memoryBytes + bytes.length <= this.#space.memoryBytes;
  }

  #addToMemory(bytes: Buffer): void {
    this.#memory.push(bytes);
    this.#memoryBytes += bytes.length;
    this.#wake?.();
  }

  #takeFromMemory(): Buffer | null {
    const bytes = this.#memory.shift() ?? null;
    if (bytes !== null) this.#memoryBytes -= bytes.length;
    return bytes;
  }

  async #takeFromFile(): Promise<Buffer | null> {
    if (this.#file === null || this.#read === this.#written) return null;
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, this.#written - this.#read));
    const length = await this.#file.opened.read(buffer, this.#read);
    this.#read += length;
    if (this.#read === this.#written && !this.#isStoring) await this.#removeFile();
    return buffer.subarray(0, length);
  }

  /** Moves pending bytes to memory or to the file, as long as there is room. */
  async #store(): Promise<void> {
    if (this.#isStoring) return;
    this.#isStoring = true;
    try {
      while (this.#pending.length > 0) {
        const [bytes] = this.#pending;
        if (this.#fitsMemory(bytes!)) this.#addToMemory(bytes!);
        else if (!(await this.#appendToFile(bytes!))) break;
        this.#pending.shift();
      }
    } catch (error) {
      this.close(error);
    } finally {
      this.#isStoring = false;
    }
    if (this.#closed !== null) await this.#removeFile();
    else if (this.#pending.length === 0) this.#onRoom();
    this.#wake?.();
  }

  /** @returns whether the files had room */
  async #appendToFile(bytes: Buffer): Promise<boolean> {
    const { files, filesBytes, newPath } = this.#space;
    if (this.#space.usedBytes + bytes.length > filesBytes) {
      if (this.#file !== null && this.#read === this.#written) await this.#removeFile();
      return false;
    }
    this.#space.usedBytes += bytes.length;
    try {
      if (this.#file === null) {
        const path = await newPath();
        this.#file = { path, opened: await files.open(path, { create: true }) };
      }
      await this.#file.opened.write(bytes, this.#written);
    } catch (error) {
      this.#space.usedBytes -= bytes.length;
      throw error;
    }
    this.#written += bytes.length;
    this.#wake?.();
    return true;
  }

  async #removeFile(): Promise<void> {
    const file = this.#file;
    if (file === null) return;
    this.#file = null;
    this.#space.usedBytes -= this.#written;
    this.#written = 0;
    this.#read = 0;
    await file.opened.close().catch(() => {});
    await this.#space.files.remove(file.path).catch(() => {});
  }
}
