import type { arrow, StreamPart } from "agnes/kit";

import { errors } from "../errors.ts";
import type { Channel, ReadRowsResponse } from "./channel.ts";
import type { Decode } from "./decode.ts";
import { Failures, type Retries } from "./retries.ts";
import { isExpired, statusOf } from "./status.ts";
import { StorageUnusable } from "./unusable.ts";

/** A session that has expired; no further row of it can be read. */
export class SessionExpired extends Error {}

/** A stream to read. */
export interface StreamRequest {
  readonly channel: Channel;
  readonly retries: Retries;
  readonly stream: string;
  readonly decode: Decode;
  /** Called with the bytes of each response. */
  readonly onBytes: (sizeBytes: number) => void;
  readonly what: string;
}

/**
 * Returns the rows of one stream. After a cut it continues behind the last whole batch that it yielded.
 * @throws SessionExpired, StorageUnusable and the errors of `Retries.wait`, from the part
 */
export function streamPart(request: StreamRequest): StreamPart<arrow.RecordBatch> {
  return async function* part({ signal }) {
    const { channel, retries, stream, what } = request;
    const failures = new Failures();
    const position = { rows: 0, progress: 0 };
    let endedAt = -1;
    for (;;) {
      try {
        let isFirst = true;
        for await (const response of channel.readRows(stream, position.rows, signal)) {
          if (isFirst) checkResumed(response, position, what);
          isFirst = false;
          const batch = batchOf(response, request);
          position.rows += batch.numRows;
          position.progress = response.stats?.progress?.atResponseEnd ?? 0;
          failures.count = 0;
          if (batch.numRows > 0) yield batch;
        }
        // One that ends without an error and before its last row is a cut one, unless no row follows.
        if (position.progress === 0 || position.progress >= 1 || endedAt === position.rows) return;
        endedAt = position.rows;
      } catch (error) {
        const status = statusOf(error);
        if (status !== undefined && isExpired(status)) throw new SessionExpired(status.reason);
        if (status?.name === "INVALID_ARGUMENT") throw new StorageUnusable(status.reason);
        await retries.wait(error, failures, { what, signal });
      }
    }
  };
}

/**
 * Checks that a stream continues at its offset. A server that ignores the offset, as emulators do, begins again: its
 * progress is then zero, and its rows would be duplicates.
 */
function checkResumed(
  { stats }: ReadRowsResponse,
  { rows, progress }: { readonly rows: number; readonly progress: number },
  what: string,
): void {
  if (rows === 0 || progress === 0 || stats?.progress?.atResponseStart !== 0) return;
  throw errors.unavailable({ what, reason: `its stream began again; rows read before: ${rows}` });
}

function batchOf(response: ReadRowsResponse, { decode, onBytes, what }: StreamRequest): arrow.RecordBatch {
  const { arrowRecordBatch, rowCount } = response;
  const message = arrowRecordBatch?.serializedRecordBatch ?? new Uint8Array();
  onBytes(message.byteLength);
  const batch = decode(message);
  if (batch.numRows === Number(rowCount)) return batch;
  // The offset of the next request is a number of rows.
  const reason = `a response has another number of rows than it reports: ${batch.numRows}, not ${rowCount}`;
  throw errors.unavailable({ what, reason });
}
