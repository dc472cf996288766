import { expect, spyOn, test } from "bun:test";

import { barLine, openProgress, shareOf } from "../../cmd/terminal/progress.ts";
import { writePluginOutput } from "../../cmd/terminal/stderr.ts";
import { openTerminal, type Terminal } from "../../cmd/terminal/terminal.ts";
import type { ExtractProgress } from "../../lib/extract/mod.ts";
import { screenOf } from "./screen.ts";

const base: ExtractProgress = {
  table: "t",
  phase: "reading",
  rows: 0,
  sizeBytes: 0,
  rowsPerSecond: 0,
  elapsedMs: 10,
};

test("the bar is filled by rows if their number is known, otherwise by bytes", () => {
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

test("the bar shows what the source does, on one line", () => {
  const text = (progress: Partial<ExtractProgress>) =>
    barLine("s.t", { ...base, ...progress }, 0)
      .split("  ")
      .at(-1);
  expect(text({ sourcePhase: "exporting" })).toBe("exporting, 10 ms");
  const downloading = { sourcePhase: "downloading 3 of 12", totalRows: 500, rows: 20 };
  expect(text(downloading)).toBe("downloading 3 of 12, 20 of 500 rows, 10 ms");
  expect(text({ ...downloading, phase: "merging" })).toBe("merging, 20 of 500 rows, 10 ms");
  const hostile = text({ sourcePhase: `a\u001b[2J\nb ${"c".repeat(100)}` })!;
  expect(hostile).not.toMatch(/\p{Cc}/u);
  expect(hostile.length).toBeLessThan(80);
});

test("a line is printed of what the source does where no bar can be drawn", async () => {
  const lines: string[] = [];
  const terminal = { quiet: false, interactive: false, info: (line: string) => lines.push(line) };
  const display = await openProgress(terminal as unknown as Terminal, new AbortController().signal);
  display.update("s.t", { ...base, sourcePhase: "exporting", elapsedMs: 6_000 });
  display.update("s.t", { ...base, sourcePhase: "exporting", elapsedMs: 7_000 });
  display.update("s.t", { ...base, sourcePhase: "downloading 2 of 3", rows: 1_000, elapsedMs: 12_000 });
  expect(lines).toEqual([
    "s.t  exporting, 6.0 s so far",
    "s.t  downloading 2 of 3, 1,000 rows, 12.0 s so far",
  ]);
});

test("messages, warnings and output of plugins are printed above the bars", async () => {
  const { stderr } = process;
  const before = { isTTY: stderr.isTTY, columns: stderr.columns };
  const columns = 60;
  let text = "";
  const spy = spyOn(stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    Object.assign(stderr, { isTTY: true, columns });
    const terminal = openTerminal({ json: false, verbose: false, quiet: false, color: false });
    const controller = new AbortController();
    const display = await openProgress({ ...terminal, interactive: true }, controller.signal);
    const bar = (id: string) => barLine(id, { ...base, totalRows: 2, rows: 1 }, 0.5);
    terminal.info("before");
    for (const id of ["s.a", "s.b"]) display.update(id, { ...base, totalRows: 2, rows: 1 });
    terminal.warn("late");
    const cut = (line: string) => line.slice(0, columns);
    expect(screenOf(text, columns)).toEqual(["before", "warning  late", cut(bar("s.a")), cut(bar("s.b"))]);
    const long = "x".repeat(columns + 5);
    terminal.warn(long);
    writePluginOutput("no line feed");
    const lines = [
      "before",
      "warning  late",
      `warning  ${"x".repeat(columns - 9)}`,
      "x".repeat(14),
      "no line feed",
    ];
    expect(screenOf(text, columns)).toEqual([...lines, cut(bar("s.a")), cut(bar("s.b"))]);
    display.update("s.a", { ...base, phase: "done" });
    terminal.info("a is done");
    expect(screenOf(text, columns)).toEqual([...lines, "a is done", cut(bar("s.b"))]);
    controller.abort();
    terminal.info("after");
    display.stop();
    expect(screenOf(text, columns)).toEqual([...lines, "a is done", "after"]);
  } finally {
    spy.mockRestore();
    Object.assign(stderr, before);
  }
});
