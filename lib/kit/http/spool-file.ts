import { createHash } from "node:crypto";
import { join } from "node:path";

import * as v from "valibot";

import { publishFile, type Host } from "../../base/mod.ts";
import type { Downloaded, Validator } from "./resume.ts";

/** The size of the memory buffer before it is written. */
const BLOCK_BYTES = 1024 * 1024;
/** The written bytes before they are synced; syncing each block takes four times as long. */
const SYNCED_BYTES = 16 * 1024 * 1024;

const NOTE = v.strictObject({
  version: v.literal(1),
  writtenBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  totalBytes: v.nullable(v.number()),
  validator: v.nullable(v.strictObject({ kind: v.picklist(["etag", "date"]), value: v.string() })),
  isComplete: v.boolean(),
  firstBytes: v.string(),
});
type Note = v.InferOutput<typeof NOTE>;

const NOTHING: Note = {
  version: 1,
  writtenBytes: 0,
  totalBytes: null,
  validator: null,
  isComplete: false,
  firstBytes: "",
};

/**
 * A download on disk: the bytes and a JSON note with the number of durable bytes and their identity. The note is
 * replaced after the bytes are synced, so a power failure can only lose bytes.
 */
export class SpoolFile implements Downloaded {
  /** The absolute path of the bytes. */
  readonly path: string;
  readonly #host: Pick<Host, "files" | "random">;
  readonly #notePath: string;
  /** Describes the durable bytes. */
  #note: Note = NOTHING;
  /** The bytes in the file, durable or not. */
  #written = { sizeBytes: 0, firstBytes: "" };
  /** The bytes that wait to be written are at the start of the block. */
  #block: Buffer | null = null;
  #waitingBytes = 0;
  /** Whether a sync failed. A later one may succeed although the bytes of the failed one are lost. */
  #isUnsynced = false;

  private constructor(host: Pick<Host, "files" | "random">, path: string) {
    this.#host = host;
    this.path = path;
    this.#notePath = `${path}.json`;
  }

  /**
   * Opens the part of a file left by an earlier read.
   *
   * @param accepts whether the part with this validator may be resumed
   */
  static async open(
    host: Pick<Host, "files" | "random">,
    directory: string,
    key: string,
    accepts: (validator: Validator | null) => boolean,
  ): Promise<SpoolFile> {
    const file = new SpoolFile(host, spoolPath(directory, key));
    const note = parsed(await host.files.read(file.#notePath));
    if (note === null || !accepts(note.validator)) return file;
    const found = await host.files.stat(file.path);
    const isThere = found !== null && found.sizeBytes >= note.writtenBytes;
    if (!isThere || (note.isComplete && found.sizeBytes !== note.writtenBytes)) return file;
    file.#note = note;
    file.#written = { sizeBytes: note.writtenBytes, firstBytes: note.firstBytes };
    return file;
  }

  get sizeBytes(): number {
    return this.#written.sizeBytes + this.#waitingBytes;
  }

  get isComplete(): boolean {
    return this.#note.isComplete;
  }

  get totalBytes(): number | null {
    return this.#note.totalBytes;
  }

  get validator(): Validator | null {
    return this.#note.validator;
  }

  /** The first four bytes. */
  get firstBytes(): Buffer {
    return Buffer.from(this.#written.firstBytes, "hex");
  }

  /** Discards all bytes, also on disk, so that a later read does not resume wrong content. */
  async discard(): Promise<void> {
    this.restart({ totalBytes: null, validator: null });
    await this.#host.files.remove(this.#notePath);
  }

  /** Discards all bytes. */
  restart(of: { readonly totalBytes: number | null; readonly validator: Validator | null }): void {
    this.#waitingBytes = 0;
    this.#written = { sizeBytes: 0, firstBytes: "" };
    this.#note = { ...NOTHING, totalBytes: of.totalBytes, validator: of.validator };
  }

  /** Appends bytes, which it copies: blocks that are used again make less garbage than arrays that are joined. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
    for (let at = 0; at < bytes.byteLength;) {
      if (this.#waitingBytes === BLOCK_BYTES) await this.#write();
      const copied = bytes.subarray(at, at + BLOCK_BYTES - this.#waitingBytes);
      this.#block.set(copied, this.#waitingBytes);
      this.#waitingBytes += copied.byteLength;
      at += copied.byteLength;
    }
    if (this.#written.sizeBytes - this.#note.writtenBytes >= SYNCED_BYTES) await this.#sync(false);
  }

  /** Makes the bytes received so far durable, unless a sync failed. */
  async flush(): Promise<void> {
    if (this.#isUnsynced || this.sizeBytes === this.#note.writtenBytes) return;
    await this.#write();
    await this.#sync(false);
  }

  /** Makes the bytes durable and marks the file as complete. */
  async complete(): Promise<void> {
    await this.#write();
    this.#block = null;
    await this.#sync(true);
  }

  async #write(): Promise<void> {
    const bytes = this.#block?.subarray(0, this.#waitingBytes) ?? Buffer.alloc(0);
    const { sizeBytes, firstBytes } = this.#written;
    try {
      await this.#host.files.append(this.path, bytes, { at: sizeBytes, sync: false });
    } catch (error) {
      // The next read resumes the earlier blocks.
      if (sizeBytes > this.#note.writtenBytes) await this.#sync(false).catch(() => {});
      throw error;
    }
    this.#written = {
      sizeBytes: sizeBytes + bytes.length,
      firstBytes: sizeBytes < 4 ? firstBytes + bytes.subarray(0, 4 - sizeBytes).toString("hex") : firstBytes,
    };
    this.#waitingBytes = 0;
  }

  async #sync(isComplete: boolean): Promise<void> {
    const { files } = this.#host;
    try {
      await files.sync(this.path);
    } catch (error) {
      this.#isUnsynced = true;
      throw error;
    }
    const { sizeBytes, firstBytes } = this.#written;
    const note = { ...this.#note, writtenBytes: sizeBytes, firstBytes, isComplete };
    await publishFile(this.#host, this.#notePath, JSON.stringify(note));
    this.#note = note;
  }
}

/** Returns the path of a file's bytes. The key may contain a secret from the URL, so the name is its hash. */
export function spoolPath(directory: string, key: string): string {
  return join(directory, createHash("sha256").update(key).digest("hex").slice(0, 32));
}

/** Reads a note; if it is invalid, the download restarts. */
function parsed(bytes: Uint8Array | null): Note | null {
  if (bytes === null) return null;
  try {
    const result = v.safeParse(NOTE, JSON.parse(new TextDecoder().decode(bytes)));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}
