import { expect, test } from "bun:test";

import { eventsLine } from "../../cmd/sync/events-line.ts";

const none = { merged: 0, replayed: 0, superseded: 0, quarantined: 0, waiting: 0, tables: [] };

test("eventsLine() counts the events of a source and the rows that they changed, and is null without events", () => {
  expect(eventsLine(none)).toBeNull();
  const table = { rowsQuarantined: 0, partsWritten: 1, schemaChanges: [], notes: [] };
  const tables = [
    { ...table, name: "issues", upserts: 1234, deletes: 0 },
    { ...table, name: "comments", upserts: 0, deletes: 2 },
  ];
  expect(eventsLine({ ...none, merged: 1, replayed: 2, superseded: 3, tables })).toBe(
    "1 event merged, 2 replayed, 3 superseded; issues 1,234 upserted, 0 deleted; comments 0 upserted, 2 deleted",
  );
  expect(eventsLine({ ...none, waiting: 7 })).toBe("0 events merged, 0 replayed, 0 superseded; 7 waiting");
  expect(eventsLine({ ...none, quarantined: 2 })).toContain("0 superseded; 2 quarantined");
  expect(eventsLine({ ...none, waiting: null, merged: 1 })).toContain("an unknown number waiting");
});
