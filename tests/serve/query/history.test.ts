import { expect, test } from "bun:test";

import { QueryHistory } from "../../../lib/serve/query/history.ts";

test("queries that ended keep nothing of their requests in memory", async () => {
  const host = { now: () => new Date(), monotonicMs: () => performance.now() };
  const history = new QueryHistory();
  const principal = { id: "1", name: "ana" };
  let freed = 0;
  const registry = new FinalizationRegistry(() => (freed += 1));
  const start = (id: string) => {
    const request = { bytes: new Uint8Array(1000), isStopped: false };
    registry.register(request, null);
    const cancel = () => (request.isStopped = true);
    return history.start(host, { id, principal, cancel, text: "SELECT 1", isTextLogged: false });
  };
  for (let at = 0; at < 100; at += 1) history.end(host, start(`q${at}`), null);
  for (let turn = 0; turn < 50 && freed < 90; turn += 1) {
    Bun.gc(true);
    await Bun.sleep(10);
  }
  expect(freed).toBeGreaterThanOrEqual(90);
  expect(history.log(host, 200)).toHaveLength(100);
});
