import { expect, test } from "bun:test";

import { lastChanges } from "../../lib/extract/merge/last-changes.ts";
import type { Change } from "../../lib/kit/mod.ts";

const upsert = (id: string, title: string, updated: number): Change => ({
  kind: "upsert",
  table: "issues",
  row: { id, title, updated },
});

test("lastChanges() lets the later change win where versions say nothing", () => {
  const changes: readonly Change[] = [
    upsert("a", "x", 1),
    { kind: "delete", table: "issues", key: { id: "a" } },
    upsert("b", "old", 1),
    upsert("b", "same", 1),
    upsert("b", "older", 0),
  ];
  const { upserts, deletes } = lastChanges(changes, ["id"], "updated");
  expect(upserts.map((row) => row["title"])).toEqual(["same"]);
  expect(deletes).toEqual([{ id: "a" }]);
});
