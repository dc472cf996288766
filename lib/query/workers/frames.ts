import { Buffer } from "node:buffer";

import { AgnesError } from "../../base/mod.ts";

/**
 * The frames between a worker process and its parent: one byte for the kind, four for the length, then the payload. A
 * message is JSON. Data is a part of the rows; its parts may be cut anywhere.
 */
const KINDS = { message: 1, data: 2 } as const;
const HEAD_BYTES = 5;

/** The most bytes of a frame of data. */
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
      const isMessage = rest.readUInt8(0) === KINDS.message;
      rest = rest.subarray(this.#needed);
      if (isMessage) this.#handlers.message(JSON.parse(payload.toString()) as unknown);
      else this.#handlers.data(Buffer.from(payload));
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
    kind === KINDS.message ? length <= MESSAGE_BYTES_MAX : kind === KINDS.data && length <= DATA_BYTES_MAX;
  if (!isKnown) throw new AgnesError("internal", { what: "a worker process sent bytes that are no frame" });
  return HEAD_BYTES + length;
}
