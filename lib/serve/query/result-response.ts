import { Buffer } from "node:buffer";

import { abortError, AgnesError, StallTimer } from "../../base/mod.ts";

/** The bytes that are awaited before the status is sent, so that an early failure has its own status. */
const FIRST_BYTES = 1 << 16;
/** A slow client holds few chunks, so chunks are small. */
const CHUNK_BYTES = 1 << 18;

/** What a response reports, and when it ends. */
export interface ResponseOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Aborts when the query must stop. */
  readonly signal: AbortSignal;
  readonly stalledMs: number;
  /** Stops the query with a reason. */
  readonly stop: (reason: AgnesError) => void;
  /** The client took bytes. */
  readonly onSent: (bytes: number) => void;
  /** The bytes have ended. @param error null: all were sent */
  readonly onEnd: (error: unknown) => void;
}

/**
 * Returns a response with the bytes of a result. It is sent when the result has ended or has 64 kB; a failure before that is
 * thrown, and a failure after that breaks the connection. Bytes are read only as fast as the client takes them.
 */
export async function resultResponse(
  pieces: AsyncGenerator<Uint8Array, void, void>,
  options: ResponseOptions,
): Promise<Response> {
  const first: Uint8Array[] = [];
  let length = 0;
  while (length < FIRST_BYTES) {
    const step = await pieces.next();
    if (step.done === true) {
      options.onSent(length);
      options.onEnd(null);
      return new Response(Buffer.concat(first), { headers: options.headers });
    }
    first.push(step.value);
    length += step.value.length;
  }
  return new Response(streamOf(Buffer.concat(first), pieces, options), { headers: options.headers });
}

function streamOf(
  first: Uint8Array,
  pieces: AsyncGenerator<Uint8Array, void, void>,
  { signal, stalledMs, stop, onSent, onEnd }: ResponseOptions,
): ReadableStream<Uint8Array> {
  let waiting = first;
  let isEnded = false;
  let onAbort = () => {};
  const stall = new StallTimer(stalledMs, () => stop(new AgnesError("rows_not_read", { stalledMs })));
  const end = (error: unknown) => {
    isEnded = true;
    stall.close();
    signal.removeEventListener("abort", onAbort);
    onEnd(error);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      onAbort = () => {
        const error = abortError(signal, "the query");
        end(error);
        controller.error(error);
        pieces.return().catch(() => {});
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    },
    async pull(controller) {
      stall.stop();
      try {
        while (waiting.length === 0) {
          const step = await pieces.next();
          if (isEnded) return;
          if (step.done === true) {
            end(null);
            return controller.close();
          }
          waiting = step.value;
        }
      } catch (error) {
        if (isEnded) return;
        end(error);
        return controller.error(error);
      }
      const chunk = waiting.subarray(0, CHUNK_BYTES);
      waiting = waiting.subarray(CHUNK_BYTES);
      onSent(chunk.length);
      stall.start();
      controller.enqueue(chunk);
    },
    cancel() {
      stop(new AgnesError("aborted", { what: "the query" }));
    },
  });
}
