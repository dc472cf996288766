import { Buffer } from "node:buffer";

/** The options of `streamResponse`. */
interface StreamOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** Throws if a response of this many bytes is too large. */
  readonly checkSize: (sizeBytes: number) => void;
}

/**
 * Responds with bytes as they come. The status goes with the first of them, so an error before that is thrown; a later
 * error breaks the connection, so that no client takes the response for complete.
 */
export async function streamResponse(
  bytes: AsyncIterable<Uint8Array>,
  { headers, checkSize }: StreamOptions,
): Promise<Response> {
  const iterator = bytes[Symbol.asyncIterator]();
  let sizeBytes = 0;
  const next = async (): Promise<Uint8Array | null> => {
    const { done, value } = await iterator.next();
    if (done === true) return null;
    sizeBytes += value.byteLength;
    try {
      checkSize(sizeBytes);
    } catch (error) {
      await iterator.return?.();
      throw error;
    }
    return value;
  };
  let first: Uint8Array | null = await next();
  if (first === null) return new Response(Buffer.alloc(0), { headers });
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = first ?? (await next());
        first = null;
        if (piece === null) controller.close();
        else controller.enqueue(piece);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 1 },
  );
  return new Response(stream, { headers });
}
