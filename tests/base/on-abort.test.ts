import { getEventListeners } from "node:events";
import { expect, test } from "bun:test";

import { onAbort } from "../../lib/base/mod.ts";

test("actions run once, in order, when the signal aborts", () => {
  const controller = new AbortController();
  const ran: string[] = [];
  onAbort(controller.signal, () => void ran.push("first"));
  onAbort(controller.signal, () => void ran.push("second"));
  expect(ran).toEqual([]);
  controller.abort();
  controller.abort();
  expect(ran).toEqual(["first", "second"]);
});

test("a cancelled action does not run, and the others do", () => {
  const controller = new AbortController();
  const ran: string[] = [];
  const cancel = onAbort(controller.signal, () => void ran.push("first"));
  onAbort(controller.signal, () => void ran.push("second"));
  cancel();
  cancel();
  controller.abort();
  cancel();
  expect(ran).toEqual(["second"]);
});

test("an action that another one cancels does not run", () => {
  const controller = new AbortController();
  let ran = false;
  onAbort(controller.signal, () => cancel());
  const cancel = onAbort(controller.signal, () => (ran = true));
  controller.abort();
  expect(ran).toBe(false);
});

test("a signal has one listener, and none after the last action is cancelled", () => {
  const { signal } = new AbortController();
  const cancels = [1, 2, 3].map(() => onAbort(signal, () => {}));
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  for (const cancel of cancels) cancel();
  expect(getEventListeners(signal, "abort")).toEqual([]);
  onAbort(signal, () => {});
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
});

test("an action of an aborted signal does not run", async () => {
  let ran = false;
  onAbort(AbortSignal.abort(), () => (ran = true))();
  await Promise.resolve();
  expect(ran).toBe(false);
});
