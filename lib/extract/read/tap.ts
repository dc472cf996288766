import { AgnesError, isAgnesError, messageOf, raceAbort, startTimer } from "../../base/mod.ts";
import type { Batch, Deletions, ReadEnd } from "../../kit/mod.ts";

/** A read in progress, one batch at a time; it ends in time even when the connector does not. */
export interface Tap {
  /** The next batch, whatever the connector says it is; null at the end. */
  next(): Promise<{ readonly batch: Batch | Deletions } | null>;
  /** What the connector returned after its last batch. */
  end(): ReadEnd;
  /** Notes that the connector is at work although it has given nothing yet: the idle time starts again. */
  alive(): void;
  /** Tells the connector to stop; does not wait for one that will not. */
  close(): void;
}

/** What a tap must know of the read. */
export interface TapOptions {
  readonly source: string;
  readonly table: string;
  readonly signal: AbortSignal;
  readonly idleTimeoutMs: number;
}

/**
 * Opens a read.
 *
 * `next` throws `aborted` as soon as the signal fires, `source_stalled` when nothing comes for too long, and what the
 * connector threw; an error that is none of ours becomes `table_read_failed`.
 */
export function openTap(batches: AsyncIterable<Batch | Deletions, ReadEnd | void>, options: TapOptions): Tap {
  const { source, table, signal, idleTimeoutMs } = options;
  const iterator = batches[Symbol.asyncIterator]();
  let end: ReadEnd = {};
  let closed = false;
  let restart = () => {};
  const pull = async (): Promise<{ readonly batch: Batch | Deletions } | null> => {
    const result = await iterator.next();
    if (result.done !== true) return { batch: result.value };
    end = result.value ?? {};
    closed = true;
    return null;
  };
  return {
    next: async () => {
      if (closed) return null;
      const idle = new AbortController();
      let stop = () => {};
      restart = () => {
        stop();
        stop = startTimer(idleTimeoutMs, () => idle.abort(stalled(options)));
      };
      restart();
      try {
        return await raceAbort(raceAbort(pull(), idle.signal, "the read"), signal, "the extraction");
      } catch (error) {
        if (isAgnesError(error)) throw error;
        throw new AgnesError(
          "table_read_failed",
          { source, table, reason: messageOf(error) },
          { cause: error },
        );
      } finally {
        restart = () => {};
        stop();
      }
    },
    end: () => end,
    alive: () => restart(),
    close: () => {
      if (closed) return;
      closed = true;
      // A connector that hangs never settles this either, so nobody waits for it.
      void Promise.resolve(iterator.return?.()).catch(() => {});
    },
  };
}

function stalled({ source, table, idleTimeoutMs }: TapOptions): AgnesError {
  return new AgnesError("source_stalled", { source, table, idleMs: idleTimeoutMs });
}
