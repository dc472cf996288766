import { Buffer } from "node:buffer";

import { AgnesError, startTimer, type OpenedFile } from "../../base/mod.ts";
import { isKnown, mayResume } from "../http/conditions.ts";
import { rangeOf, type ByteRange } from "../http/range.ts";
import type { OpenedPart } from "./open-part.ts";

/** The content type of Parquet files. */
export const PARQUET_TYPE = "application/vnd.apache.parquet";

/** A slow client holds few chunks, so chunks are small. */
const CHUNK_BYTES = 1 << 18;
/** Up to this size a body is read before the status is sent. */
const WHOLE_BYTES_MAX = 1 << 20;

/** What a response needs besides the part. */
export interface PartResponseOptions {
  readonly table: string;
  readonly stalledMs: number;
  /** The body failed after the status was sent. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Returns the response for a part: whole or one range of it. Bytes are read only as fast as the client takes them; a failure
 * after the status breaks the connection. Closes the file at the end.
 * @throws `range_not_satisfiable`, `part_unreadable`
 */
export async function partResponse(
  request: Request,
  part: OpenedPart,
  options: PartResponseOptions,
): Promise<Response> {
  const { file, sizeBytes, sha256 } = part;
  let isStreamed = false;
  try {
    const etag = `"${sha256}"`;
    const headers: Record<string, string> = {
      etag,
      "accept-ranges": "bytes",
      "cache-control": "private, no-cache",
      "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`,
    };
    if (isKnown(request.headers.get("if-none-match"), etag))
      return new Response(null, { status: 304, headers });
    const isHead = request.method === "HEAD";
    // A range is defined for GET only.
    const wanted =
      isHead || !mayResume(request.headers.get("if-range"), etag) ? null : request.headers.get("range");
    const range = rangeOf(wanted, sizeBytes);
    if (range === "unsatisfiable") throw new AgnesError("range_not_satisfiable", { sizeBytes });
    const { first, last } = range ?? { first: 0, last: sizeBytes - 1 };
    const length = last - first + 1;
    headers["content-type"] = PARQUET_TYPE;
    headers["content-length"] = String(length);
    if (range !== null) headers["content-range"] = `bytes ${first}-${last}/${sizeBytes}`;
    const status = range === null ? 200 : 206;
    if (isHead) return new Response(null, { status, headers });
    if (length <= WHOLE_BYTES_MAX)
      return new Response(await readWhole(file, { first, last }, options), { status, headers });
    isStreamed = true;
    return new Response(streamOf(file, { first, last }, options), { status, headers });
  } finally {
    if (!isStreamed) await file.close();
  }
}

function failed(table: string, cause?: unknown): AgnesError {
  return new AgnesError("part_unreadable", { table, reason: "its file cannot be read" }, { cause });
}

async function readWhole(
  file: OpenedFile,
  { first, last }: ByteRange,
  { table }: PartResponseOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(last - first + 1);
  const read = await file.read(bytes, first).catch((error: unknown) => {
    throw failed(table, error);
  });
  if (read < bytes.length) throw failed(table);
  return bytes;
}

function streamOf(
  file: OpenedFile,
  { first, last }: ByteRange,
  { table, stalledMs, onFailed }: PartResponseOptions,
): ReadableStream<Uint8Array> {
  let at = first;
  let stopTimer = () => {};
  let isEnded = false;
  const end = async () => {
    if (isEnded) return;
    isEnded = true;
    stopTimer();
    await file.close();
  };
  const fail = async (controller: ReadableStreamDefaultController<Uint8Array>, error: unknown) => {
    if (isEnded) return;
    controller.error(error);
    onFailed(error);
    await end();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stopTimer();
        try {
          const chunk = new Uint8Array(Math.min(CHUNK_BYTES, last - at + 1));
          const read = await file.read(chunk, at);
          if (isEnded) return;
          if (read < chunk.length) return await fail(controller, failed(table));
          at += read;
          controller.enqueue(chunk);
          if (at > last) {
            controller.close();
            return await end();
          }
          stopTimer = startTimer(stalledMs, () => {
            void fail(controller, new AgnesError("rows_not_read", { stalledMs }));
          });
        } catch (error) {
          await fail(controller, error);
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
