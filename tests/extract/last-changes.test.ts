import { expect, test } from "bun:test";

import { lastChanges } from "../../lib/extract/merge/last-changes.ts";
import type { StoredOrder } from "../../lib/extract/merge/stored-order.ts";
import { type Change } from "../../lib/kit/mod.ts";

const upsert = (id: string, title: string, updated: number): Extract<Change, { kind: "upsert" }> => ({
  kind: "upsert",
  table: "issues",
  row: { id, title, updated },
});

test("lastChanges() uses the later change when versions cannot be compared", () => {
  const changes: readonly Exclude<Change, { kind: "replace" }>[] = [
    upsert("a", "x", 1),
    { kind: "delete", table: "issues", key: { id: "a" } },
    upsert("b", "old", 1),
    upsert("b", "same", 1),
    upsert("b", "older", 0),
  ];
  const order: StoredOrder = {
    has: () => true,
    rankOf: (row, column) => {
      const value = row[column];
      return typeof value === "string" ? value.charCodeAt(0) : typeof value === "number" ? value : null;
    },
  };
  const { upserts, deletes, replaced } = lastChanges(
    changes.map((change, at) => ({ ...change, number: at + 1 })),
    { primaryKey: ["id"], cursor: "updated" },
    order,
  );
  expect(upserts.map((row) => row["title"])).toEqual(["same"]);
  // The deletion has the version of the change before it, and applies to any published version.
  expect(deletes).toEqual([{ id: "a", updated: 1 }]);
  expect(replaced).toEqual([{ columns: ["id"], parents: [{ id: "a" }], members: [] }]);
});
