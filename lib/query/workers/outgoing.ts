import { Buffer } from "node:buffer";

/** The bytes that wait for more. */
const HELD_BYTES_MAX = 1 << 16;

/** The time that bytes wait for more. */
const HELD_MS = 5;

/** Joins the frames of a small result into one write. */
export class Outgoing {
  readonly #write: (bytes: Buffer) => Promise<void>;
  #frames: Buffer[] = [];
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param write writes bytes, and resolves when it can take more */
  constructor(write: (bytes: Buffer) => Promise<void>) {
    this.#write = write;
  }

  /** Adds a frame, which is written soon. Resolves when more can be added. */
  async add(frame: Buffer): Promise<void> {
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (this.#bytes >= HELD_BYTES_MAX) return this.flush();

    this.#timer ??= setTimeout(() => void this.flush(), HELD_MS);
  }

  /** Writes all frames now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    this.#bytes = 0;
    await this.#write(frames.length === 1 ? frames[0]! : Buffer.concat(frames));
  }
}
