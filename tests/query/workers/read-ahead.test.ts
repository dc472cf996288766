import { expect, test } from "bun:test";

import { readAhead } from "../../../lib/query/workers/read-ahead.ts";

/** Counts to three, and then fails if there is an error. */
function counting(error: Error | null) {
  const log: string[] = [];
  const items = (async function* () {
    try {
      for (let item = 1; item <= 3; item++) {
        log.push(`made ${item}`);
        yield item;
      }
      if (error !== null) throw error;
    } finally {
      log.push("closed");
    }
  })();
  return { items, log };
}

test("readAhead() requests an item while the one before it is processed, and yields all in order", async () => {
  const { items, log } = counting(null);
  for await (const item of readAhead(items, () => true)) log.push(`got ${item}`);
  expect(log).toEqual(["made 1", "made 2", "got 1", "made 3", "got 2", "closed", "got 3"]);
});

test("readAhead() requests nothing while a large item is processed", async () => {
  const { items, log } = counting(null);
  for await (const item of readAhead(items, (one) => one !== 1)) log.push(`got ${item}`);
  expect(log).toEqual(["made 1", "got 1", "made 2", "made 3", "got 2", "closed", "got 3"]);
});

test("readAhead() throws an error after the items before it", async () => {
  const error = new Error("broken");
  const got: number[] = [];
  const reading = (async () => {
    for await (const item of readAhead(counting(error).items, () => true)) {
      got.push(item);
      // Meanwhile the error has happened.
      await Bun.sleep(5);
    }
  })();
  expect(await reading.catch((thrown: unknown) => thrown)).toBe(error);
  expect(got).toEqual([1, 2, 3]);
});

test("readAhead() closes what it reads when the reader stops", async () => {
  const { items, log } = counting(null);
  for await (const _ of readAhead(items, () => true)) break;
  expect(log).toEqual(["made 1", "made 2", "closed"]);
});
