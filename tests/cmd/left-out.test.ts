import { expect, test } from "bun:test";

import { leftOutLines } from "../../cmd/sync/left-out.ts";

const missing = (name: string) => ({ name, reason: "the extract has no such table or view" });

test("leftOutLines() returns a few lines per extract, and their number", () => {
  const report = {
    published: [{ id: "b.shown", viewName: "shown", accessMode: "file" as const }],
    skipped: [
      ...Array.from({ length: 3_000 }, (_, at) => missing(`a.t${at}`)),
      { name: "b.shown", reason: "its description is truncated" },
    ],
    errors: [{ ...missing("b.c.d"), code: "view_failed" }],
  };
  const lines = leftOutLines(report);
  expect(lines).toHaveLength(13);
  expect(lines[0]).toBe("a.t0 is not in the catalog: the extract has no such table or view");
  expect(lines.slice(10)).toEqual([
    "b.shown: its description is truncated",
    "b.c.d is not in the catalog: the extract has no such table or view",
    "a: 2,990 more lines of this kind; see data/analytics/rebuild-report.json for all",
  ]);
  expect(leftOutLines({ ...report, skipped: report.skipped.slice(0, 10) })).toHaveLength(11);
});
