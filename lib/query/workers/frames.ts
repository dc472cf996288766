import { Buffer } from "node:buffer";

import { AgnesError } from "../../base/mod.ts";

/**
 * The frames between a worker process and its parent: one byte for the kind, four for the length, then the payload. A
 * message is JSON. Data is a part of the rows; its parts may be cut anywhere. A part has four bytes for the number of what it
 * belongs to, then a part of a batch.
 */
const KINDS = { message: 1, data: 2, part: 3 } as const;
const HEAD_BYTES = 5;

const ID_BYTES = 4;

/** The most bytes of a frame of data or of a part. */
const DATA_BYTES_MAX = 1 << 17;

/** The most bytes of a message; the SQL of a query and the description of a table are far smaller. */
const MESSAGE_BYTES_MAX = 1 << 26;

/** Returns the frame of a message. */
export function messageFrame(message: unknown): Buffer {
  return frame(KINDS.message, Buffer.from(JSON.stringify(message)));
}

/** Yields the frames of bytes. */
export function* dataFrames(bytes: Uint8Array): Generator<Buffer, void, void> {
  for (let start = 0; start < bytes.length; start += DATA_BYTES_MAX) {
    yield frame(KINDS.data, bytes.subarray(start, start + DATA_BYTES_MAX));
  }
}

/** Yields the parts of a batch. */
export function* partFrames(id: number, bytes: Uint8Array): Generator<Buffer, void, void> {
  const head = Buffer.alloc(ID_BYTES);
  head.writeUInt32LE(id, 0);
  const step = DATA_BYTES_MAX - ID_BYTES;
  for (let start = 0; start < bytes.length; start += step) {
    yield frame(KINDS.part, Buffer.concat([head, bytes.subarray(start, start + step)]));
  }
}

function frame(kind: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(kind, 0);
  head.writeUInt32LE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

/** What `FrameReader` calls for each frame. */
interface FrameHandlers {
  readonly message: (message: unknown) => void;
  /** Receives a copy. */
  readonly data: (bytes: Buffer) => void;
  /** Receives a copy. Default: there must be none. */
  readonly part?: (id: number, bytes: Buffer) => void;
}

/** Splits a stream of bytes into frames. */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  #pieces: Buffer[] = [];
  #length = 0;
  /** The bytes that the next frame needs. */
  #needed = HEAD_BYTES;

  constructor(handlers: FrameHandlers) {
    this.#handlers = handlers;
  }

  /** Takes the next bytes of the stream. @throws `internal` for bytes that are no frame */
  take(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length < this.#needed) return;
    let rest = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    for (;;) {
      this.#needed = neededBytes(rest);
      if (rest.length < this.#needed) break;
      const payload = rest.subarray(HEAD_BYTES, this.#needed);
      const kind = rest.readUInt8(0);
      rest = rest.subarray(this.#needed);
      if (kind === KINDS.message) this.#handlers.message(JSON.parse(payload.toString()) as unknown);
      else if (kind === KINDS.data) this.#handlers.data(Buffer.from(payload));
      else this.#handlers.part?.(payload.readUInt32LE(0), Buffer.from(payload.subarray(ID_BYTES)));
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
  }
}

/** The length of the frame at the start of bytes, or of its head. */
function neededBytes(bytes: Buffer): number {
  if (bytes.length < HEAD_BYTES) return HEAD_BYTES;
  const kind = bytes.readUInt8(0);
  const length = bytes.readUInt32LE(1);
  const isKnown =
    kind === KINDS.message
      ? length <= MESSAGE_BYTES_MAX
      : kind === KINDS.data
        ? length <= DATA_BYTES_MAX
        : kind === KINDS.part && length >= ID_BYTES && length <= DATA_BYTES_MAX;
  if (!isKnown) throw new AgnesError("internal", { what: "a worker process sent bytes that are no frame" });
  return HEAD_BYTES + length;
}
