import { createHash } from "node:crypto";
import { join } from "node:path";

import * as v from "valibot";

import { publishFile, type Host } from "../../base/mod.ts";
import type { Downloaded, Validator } from "./resume.ts";

/** The size of the memory buffer before it is written and synced. */
const BLOCK_BYTES = 4 * 1024 * 1024;

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
  #note: Note = NOTHING;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

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
    if (isThere && (!note.isComplete || found.sizeBytes === note.writtenBytes)) file.#note = note;
    return file;
  }

  get sizeBytes(): number {
    return this.#note.writtenBytes + this.#waitingBytes;
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
    return Buffer.from(this.#note.firstBytes, "hex");
  }

  /** Discards all bytes, also on disk, so that a later read does not resume wrong content. */
  async discard(): Promise<void> {
    this.restart({ totalBytes: null, validator: null });
    await this.#host.files.remove(this.#notePath);
  }

  /** Discards all bytes. */
  restart(of: { readonly totalBytes: number | null; readonly validator: Validator | null }): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#note = { ...NOTHING, totalBytes: of.totalBytes, validator: of.validator };
  }

  /** Appends bytes; takes ownership of the array. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    if (this.#waitingBytes >= BLOCK_BYTES) await this.flush();
  }

  /** Makes the bytes written so far durable. */
  async flush(): Promise<void> {
    if (this.#waitingBytes > 0) await this.#write(false);
  }

  /** Makes the bytes durable and marks the file as complete. */
  async complete(): Promise<void> {
    await this.#write(true);
  }

  async #write(isComplete: boolean): Promise<void> {
    const { files } = this.#host;
    const bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
    const { writtenBytes } = this.#note;
    await files.append(this.path, bytes, { at: writtenBytes });
    const firstBytes =
      writtenBytes < 4
        ? this.#note.firstBytes + bytes.subarray(0, 4 - writtenBytes).toString("hex")
        : this.#note.firstBytes;
    const note = { ...this.#note, writtenBytes: writtenBytes + bytes.length, firstBytes, isComplete };
    await publishFile(this.#host, this.#notePath, JSON.stringify(note));
    this.#note = note;
    this.#waiting = [];
    this.#waitingBytes = 0;
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
