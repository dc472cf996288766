import { Buffer } from "node:buffer";

/** The bytes that wait for more. */
const HELD_BYTES_MAX = 1 << 18;

/** The time that bytes wait for more. */
const HELD_MS = 5;

/** Smaller frames are joined. To copy a larger one takes longer than to write it by itself. */
const JOINED_BYTES_MAX = 1 << 14;

/** Joins the frames of a small result into one write. */
export class Outgoing {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param write writes bytes after those of earlier calls, and resolves when it can take more */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Adds a frame or a part of one, which is written soon. Resolves when more can be added. */
  async add(frame: Uint8Array): Promise<void> {
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
    await Promise.all(joined(frames).map((bytes) => this.#write(bytes)));
  }
}

/** Joins small frames that follow each other. */
function joined(frames: readonly Uint8Array[]): readonly Uint8Array[] {
  const writes: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const join = () => {
    if (small.length > 0) writes.push(small.length === 1 ? small[0]! : Buffer.concat(small));
    small = [];
  };
  for (const frame of frames) {
    if (frame.length < JOINED_BYTES_MAX) {
      small.push(frame);
      continue;
    }
    join();
    writes.push(frame);
  }
  join();
  return writes;
}
