import { expect, test } from "bun:test";

import { dueNow, NextTimes, type ScheduledTable } from "../../lib/sync/schedule/due.ts";

const NOW = new Date("2026-11-28T12:00:00Z");

/** A table that was synced some minutes ago, every minute. */
function synced(source: string, name: string, minutesAgo: number): ScheduledTable {
  const succeededAt = new Date(NOW.getTime() - minutesAgo * 60_000);
  return {
    record: {
      name,
      source,
      syncSchedule: "every 1m",
      syncPaused: false,
      registeredAt: "2026-11-01T00:00:00Z",
    },
    state: { succeededAt, attemptedAt: succeededAt, failures: 0 },
  };
}

test("the source that has been due for longest has the first turn", () => {
  const tables = [
    synced("a", "new", 3),
    synced("b", "new", 2),
    synced("c", "oldest", 60),
    synced("a", "older", 30),
    synced("d", "not due", 0),
  ];
  const due = dueNow(tables, NOW, { seed: "", times: new NextTimes() });
  expect([...due]).toEqual([
    ["c", ["oldest"]],
    ["a", ["new", "older"]],
    ["b", ["new"]],
  ]);
});
