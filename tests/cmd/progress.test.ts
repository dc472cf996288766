import { expect, test } from "bun:test";

import { barLine, shareOf } from "../../cmd/terminal/progress.ts";

test("the bar is filled by rows where their number is known, else by bytes", () => {
  const base = {
    table: "t",
    phase: "reading",
    rows: 0,
    sizeBytes: 0,
    rowsPerSecond: 0,
    elapsedMs: 10,
  } as const;
  const bytes = { ...base, bytesRead: 1_500_000, totalBytes: 6_000_000 };
  expect(shareOf(bytes)).toEqual({ done: 1_500_000, total: 6_000_000 });
  expect(barLine("s.t", bytes, 0.25)).toBe(
    `${"█".repeat(6)}${"░".repeat(18)}  s.t  0 rows, 1.5 MB of 6.0 MB read, 10 ms`,
  );
  expect(shareOf({ ...bytes, rows: 5, totalRows: 10 })).toEqual({ done: 5, total: 10 });
  expect(shareOf({ ...base, bytesRead: 7 })).toEqual({ done: 7, total: 0 });
  expect(barLine("s.t", { ...base, bytesRead: 7 }, 0)).toContain(
    `${"·".repeat(24)}  s.t  0 rows, 7 bytes read`,
  );
});
