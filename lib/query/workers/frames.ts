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

/** Smaller views would keep the memory of much larger reads. */
const VIEW_BYTES_MIN = 1 << 14;

/** The most bytes of a message; the SQL of a query and the description of a table are far smaller. */
const MESSAGE_BYTES_MAX = 1 << 26;

/** Returns the frame of a message. */
export function messageFrame(message: unknown): Buffer {
  return frame(KINDS.message, Buffer.from(JSON.stringify(message)));
}

/** Yields the frames of bytes, each as its head and its payload, which is not copied. */
export function* dataFrames(bytes: Uint8Array): Generator<Uint8Array, void, void> {
  for (let start = 0; start < bytes.length; start += DATA_BYTES_MAX) {
    const payload = bytes.subarray(start, start + DATA_BYTES_MAX);
    yield frameHead(KINDS.data, payload.length);
    yield payload;
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
  return Buffer.concat([frameHead(kind, payload.length), payload]);
}

function frameHead(kind: number, length: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(kind, 0);
  head.writeUInt32LE(length, 1);
  return head;
}

/** What `FrameReader` calls for each frame. */
interface FrameHandlers {
  readonly message: (message: unknown) => void;
  /** Receives data as it arrives, cut anywhere. It may keep the bytes: a stream does not write to them again. */
  readonly data: (bytes: Buffer) => void;
  /** Receives a copy. Default: there must be none. */
  readonly part?: (id: number, bytes: Buffer) => void;
}

/** Splits a stream of bytes into frames. */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  /** The start of a frame other than data. */
  #pieces: Buffer[] = [];
  #length = 0;
  /** The bytes that this frame needs. */
  #needed = HEAD_BYTES;
  /** The bytes that the frame of data at hand lacks. */
  #dataLeft = 0;

  constructor(handlers: FrameHandlers) {
    this.#handlers = handlers;
  }

  /** Takes the next bytes of the stream. @throws `internal` for bytes that are no frame */
  take(bytes: Buffer): void {
    let rest = this.#takeData(bytes);
    if (this.#length > 0) {
      this.#pieces.push(rest);
      this.#length += rest.length;
      if (this.#length < this.#needed) return;
      rest = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#length = 0;
    }
    while (rest.length > 0) {
      this.#needed = neededBytes(rest);
      if (rest.length >= HEAD_BYTES && rest.readUInt8(0) === KINDS.data) {
        this.#dataLeft = rest.readUInt32LE(1);
        rest = this.#takeData(rest.subarray(HEAD_BYTES));
        continue;
      }
      if (rest.length < this.#needed) {
        this.#pieces = [rest];
        this.#length = rest.length;
        return;
      }
      const payload = rest.subarray(HEAD_BYTES, this.#needed);
      const kind = rest.readUInt8(0);
      rest = rest.subarray(this.#needed);
      if (kind === KINDS.message) this.#handlers.message(JSON.parse(payload.toString()) as unknown);
      else this.#handlers.part?.(payload.readUInt32LE(0), Buffer.from(payload.subarray(ID_BYTES)));
    }
  }

  /** Passes on the data at the start of bytes. @returns the rest */
  #takeData(bytes: Buffer): Buffer {
    if (this.#dataLeft === 0) return bytes;
    const data = bytes.subarray(0, this.#dataLeft);
    this.#dataLeft -= data.length;
    if (data.length > 0) this.#handlers.data(data.length < VIEW_BYTES_MIN ? Buffer.from(data) : data);
    return bytes.subarray(data.length);
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
