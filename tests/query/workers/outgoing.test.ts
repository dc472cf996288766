import { expect, test } from "bun:test";
import { Buffer } from "node:buffer";

import { Outgoing } from "../../../lib/query/workers/outgoing.ts";

test("small frames are one write, in order, at once when flushed and otherwise after a few milliseconds", async () => {
  const written: string[] = [];
  const outgoing = new Outgoing(async (bytes) => void written.push(bytes.toString()));
  for (const text of ["a", "b", "c"]) await outgoing.add(Buffer.from(text));
  expect(written).toEqual([]);
  await outgoing.flush();
  await outgoing.flush();
  expect(written.splice(0)).toEqual(["abc"]);
  await outgoing.add(Buffer.from("d"));
  await Bun.sleep(50);
  expect(written.splice(0)).toEqual(["d"]);
  const sizes = [1, 5, 1 << 18, 2, 1 << 14];
  for (const size of sizes) await outgoing.add(Buffer.alloc(size, "e"));
  await outgoing.flush();
  // Large frames are not copied.
  expect(written.map((text) => text.length)).toEqual([6, 1 << 18, 2, 1 << 14]);
});

test("a writer that waits for its reader makes large frames wait", async () => {
  const gate = Promise.withResolvers<void>();
  const outgoing = new Outgoing(() => gate.promise);
  let isAdded = false;
  const adding = outgoing.add(Buffer.alloc(1 << 18)).then(() => (isAdded = true));
  await Bun.sleep(1);
  expect(isAdded).toBe(false);
  gate.resolve();
  await adding;
  expect(isAdded).toBe(true);
});
