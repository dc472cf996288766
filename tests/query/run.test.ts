import { expect, test } from "bun:test";

import * as arrow from "apache-arrow";

import { createHost } from "../../lib/base/mod.ts";
import { startQuery, type Run } from "../../lib/query/run.ts";

const never = () => new Promise<never>(() => {});

/** A query that never returns after this number of batches, so that its connection never closes. */
function stuckAfter(batches: number): Run {
  const { schema, batches: all } = arrow.tableFromArrays({ n: Int32Array.from([1]) });
  let returned = 0;
  const next = async () => (returned++ < batches ? { done: false, value: all[0]! } : never());
  const stream = async () => ({
    schema,
    names: ["n"],
    batches: { [Symbol.asyncIterator]: () => ({ next }) },
  });
  const run = {
    sql: "",
    secrets: new Set(),
    tables: [],
    generation: null,
    remotes: () => [],
    release: never,
    prepareLive: never,
  };
  return { ...run, connection: { stream } } as unknown as Run;
}

test.each([0, 2])(
  "startQuery() ends at its deadline when DuckDB is stuck after %d batches",
  async (batches) => {
    const result = await startQuery(
      createHost(),
      { access: null, limits: { timeoutMs: 20 }, failure: (error) => error },
      async () => stuckAfter(batches),
    );
    const read = async () => {
      let rows = 0;
      for await (const batch of result.batches) rows += batch.numRows;
      return rows;
    };
    const error = await read().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "timed_out" });
    expect(result.receipt().rows).toBe(batches);
  },
);
