import { expect, test } from "bun:test";

import { SharedWork } from "../../lib/query/shared-work.ts";

test("work is shared by the callers before its start, with the same key, and a failure is not kept", async () => {
  const shared = new SharedWork<number>();
  let begun = 0;
  const gates: ReturnType<typeof Promise.withResolvers<void>>[] = [];
  const work = async () => {
    const own = (begun += 1);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    return own;
  };
  const first = shared.run("a", work);
  // These may not use what began before they came.
  const later = [shared.run("a", work), shared.run("a", work)];
  const other = shared.run("b", work);
  expect(begun).toBe(2);
  gates[0]!.resolve();
  gates[1]!.resolve();
  expect([await first, await other]).toEqual([1, 2]);
  await Bun.sleep(1);
  expect(begun).toBe(3);
  gates[2]!.reject(new Error("no"));
  expect(await Promise.allSettled(later).then((all) => all.map(({ status }) => status))).toEqual([
    "rejected",
    "rejected",
  ]);
  const after = shared.run("a", work);
  gates[3]!.resolve();
  expect(await after).toBe(4);
});
