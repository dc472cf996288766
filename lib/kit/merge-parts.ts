import {
  abortError,
  AgnesError,
  atMost,
  formatValue,
  linkedController,
  raceAbort,
  throwIfAborted,
} from "../base/mod.ts";

/** Opens one part of a stream. The signal aborts when the part must stop. */
export type StreamPart<T> = (options: { readonly signal: AbortSignal }) => AsyncIterable<T>;

const CONCURRENCY = 4;
/** How long parts may take to close. */
const CLOSE_MS = 1000;
const WHAT = "reading the parts of a stream";

/**
 * Reads the parts of a stream in parallel, as one stream. Parts arrive in no particular order; the order within
 * a part is kept.
 *
 * At most `concurrency` parts are open at once (default: 4), and each holds one item until it is taken. When a part
 * fails, the signal aborts or the reader stops, the signals of all parts abort and open parts are closed.
 *
 * @throws `aborted`, errors of the parts, and `invalid_input` if `concurrency` is not a positive integer
 * @example
 * ```ts
 * import { mergeParts } from "agnes/kit";
 * const part = (ids: readonly number[]) => async function* () {
 *   yield ids.map((id) => ({ id }));
 * };
 * const { signal } = new AbortController();
 * for await (const rows of mergeParts([part([1, 2]), part([3])], { signal })) console.log(rows);
 * ```
 */
export async function* mergeParts<T>(
  parts: readonly StreamPart<T>[],
  { signal, concurrency = CONCURRENCY }: { readonly signal: AbortSignal; readonly concurrency?: number },
): AsyncGenerator<T, void, void> {
  checkConcurrency(concurrency);
  throwIfAborted(signal, WHAT);
  using controller = linkedController(signal);
  const open = new Set<AsyncIterator<T>>();
  const steps: Step<T>[] = [];
  let next = 0;
  let wake = () => {};
  const pull = async (iterator: AsyncIterator<T>) => {
    try {
      steps.push({ iterator, result: await iterator.next() });
    } catch (error) {
      steps.push({ iterator, failure: { error } });
    }
    wake();
  };
  try {
    do {
      while (open.size < concurrency && next < parts.length) {
        const iterator = parts[next++]!({ signal: controller.signal })[Symbol.asyncIterator]();
        open.add(iterator);
        void pull(iterator);
      }
      const step = steps.shift();
      if (step === undefined) {
        if (open.size > 0) await raceAbort(new Promise<void>((resolve) => (wake = resolve)), signal, WHAT);
        continue;
      }
      const { iterator, result, failure } = step;
      if (failure !== undefined || result.done === true) open.delete(iterator);
      if (failure !== undefined) throw signal.aborted ? abortError(signal, WHAT) : failure.error;
      if (result.done === true) continue;
      yield result.value;
      throwIfAborted(signal, WHAT);
      // Only now: a part may use its row objects again when it goes on.
      void pull(iterator);
    } while (open.size > 0 || next < parts.length);
  } finally {
    controller.abort(new AgnesError("aborted", { what: WHAT }));
    const closing = [...open].map(async (iterator) => iterator.return?.());
    if (closing.length > 0) await atMost(Promise.allSettled(closing), CLOSE_MS);
  }
}

function checkConcurrency(value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 1) return;
  const reason = `it is ${formatValue(value)}, but should be a positive integer`;
  throw new AgnesError("invalid_input", { what: "the concurrency of mergeParts", reason });
}

type Step<T> = { readonly iterator: AsyncIterator<T> } & (
  | { readonly result: IteratorResult<T, unknown>; readonly failure?: undefined }
  | { readonly result?: undefined; readonly failure: { readonly error: unknown } }
);
