import type { EncodedResult } from "../../query/mod.ts";
import type { ServeServices } from "../services.ts";
import { resultResponse } from "./result-response.ts";
import { startQuery, type QueryOrigin } from "./start-query.ts";

/** A query of a client. */
interface QueryCall extends QueryOrigin {
  readonly contentType: string;
  /** Starts it. @param signal aborts when it must stop */
  readonly encode: (signal: AbortSignal) => Promise<EncodedResult>;
  /** The bytes of the body. */
  readonly piecesOf: (result: EncodedResult) => AsyncGenerator<Uint8Array, void, void>;
}

/**
 * Runs a query and returns its rows. It is in the history and in the log.
 * @throws `query_id_taken`, and the errors of `encode` and of the first bytes
 */
export async function runQuery(
  services: ServeServices,
  { contentType, encode, piecesOf, ...origin }: QueryCall,
): Promise<Response> {
  const { record, signal, stop, end } = startQuery(services, origin);
  let result: EncodedResult | null = null;
  const onEnd = (cause: unknown) => {
    end(cause, { receipt: result?.receipt() ?? null });
    // Before the first bytes are read, nothing else releases its connection.
    result?.close().catch(() => {});
  };
  try {
    result = await encode(signal);
    return await resultResponse(piecesOf(result), {
      headers: { "content-type": contentType, "cache-control": "no-store" },
      signal,
      stalledMs: services.config.stalledMs,
      stop,
      onSent: (bytes) => (record.sentBytes += bytes),
      onEnd,
    });
  } catch (error) {
    onEnd(error);
    throw error;
  }
}
