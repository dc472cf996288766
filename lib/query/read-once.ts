import { AgnesError } from "../base/mod.ts";

/** Batches that a second reader cannot take for an empty or shorter result. */
export function readOnce<T>(batches: AsyncIterable<T>): AsyncIterable<T> {
  let reader: AsyncIterator<T> | null = null;
  return {
    [Symbol.asyncIterator]() {
      const iterator = batches[Symbol.asyncIterator]();
      const own: AsyncIterator<T> = {
        async next() {
          reader ??= own;
          if (reader === own) return iterator.next();
          const reason = "it is already read; run the query again";
          throw new AgnesError("invalid_input", { what: "the result of a query", reason });
        },
        async return() {
          reader ??= own;
          if (reader === own) await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
      return own;
    },
  };
}
