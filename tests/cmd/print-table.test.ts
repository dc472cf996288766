import { afterEach, describe, expect, test } from "bun:test";

import { printRows, textColumn } from "../../cmd/terminal/print-rows.ts";
import { renderTable } from "../../cmd/terminal/print-table.ts";
import { styleFor } from "../../cmd/terminal/style.ts";
import type { Terminal } from "../../cmd/terminal/terminal.ts";

const style = styleFor({}, false);
const render = (
  columns: readonly (readonly [string, "left" | "right"])[],
  rows: readonly (readonly (string | null)[])[],
  width?: number,
) =>
  renderTable(
    columns.map(([name, align]) => ({ name, align })),
    rows,
    { style, ...(width === undefined ? {} : { width }) },
  );

describe("renderTable()", () => {
  test("renderTable() aligns text left and numbers right when both are there", () => {
    const { text } = render(
      [
        ["name", "left"],
        ["n", "right"],
      ],
      [
        ["a", "1"],
        ["bcdef", "234"],
        [null, null],
      ],
    );
    expect(text).toBe("name      n\n─────  ────\na         1\nbcdef   234\nNULL   NULL\n");
  });

  test("renderTable() counts wide characters as two columns", () => {
    const { text } = render(
      [
        ["名", "left"],
        ["x", "left"],
      ],
      [
        ["日本", "1"],
        ["abcd", "2"],
        ["é👨‍👩‍👧", "3"],
      ],
    );
    expect(text).toBe("名    x\n────  ─\n日本  1\nabcd  2\né👨‍👩‍👧   3\n");
  });

  test("renderTable() wraps text between words when the terminal is narrow", () => {
    const { text, leftOut } = renderTable(
      [{ name: "id", align: "right" }, { name: "text", isText: true }, { name: "when" }],
      [
        ["1", "two words, and a_name.that_is_long", "2026-11-28T05:00:00.000Z"],
        ["2", "日本 語", "never"],
      ],
      { style, width: 49 },
    );
    expect(text).toBe(
      [
        "id  text                 when",
        "──  ───────────────────  ────────────────────────",
        " 1  two words, and       2026-11-28T05:00:00.000Z",
        "    a_name.that_is_long",
        " 2  日本 語              never",
        "",
      ].join("\n"),
    );
    expect(leftOut).toEqual([]);
  });

  test("renderTable() wraps the widest text first, and never shortens a value", () => {
    const words = (count: number) => Array.from({ length: count }, (_, at) => `w${at % 10}`).join(" ");
    const columns = ["a", "b"].map((name) => ({ name, isText: true }));
    for (const width of [30, 41, 60, 300, undefined]) {
      const { text } = renderTable(columns, [[words(3), words(80)]], { style, ...(width && { width }) });
      const lines = text.split("\n");
      expect(lines.every((line) => Bun.stringWidth(line) <= (width ?? 300))).toBe(true);
      expect(lines[2]).toStartWith(`${words(3)}  w0 w1`);
      expect(text.match(/w\d/g)).toHaveLength(83);
    }
  });

  test("renderTable() leaves out the columns that matter least when wrapping is not enough", () => {
    const columns = [
      { name: "id" },
      { name: "size", leftOut: 2 },
      { name: "by", leftOut: 1 },
      { name: "when", leftOut: 3 },
    ];
    const rows = [["0123456789", "1 MB", "someone", "yesterday"]];
    const at = (width: number) => renderTable(columns, rows, { style, width });
    expect(at(36).leftOut).toEqual([]);
    expect(at(35)).toEqual({
      text: "id          size  when\n──────────  ────  ─────────\n0123456789  1 MB  yesterday\n",
      leftOut: ["by"],
    });
    expect(at(26).leftOut).toEqual(["size", "by"]);
    expect(at(10).leftOut).toEqual(["size", "by", "when"]);
  });

  test("renderTable() leaves out a column rather than wrap text to less than 16 columns", () => {
    const columns = [{ name: "id" }, { name: "by", leftOut: 1 }, { name: "text", isText: true }];
    const rows = [["1", "me", "a b c d e f g h i j k l m"]];
    expect(renderTable(columns, rows, { style, width: 24 }).leftOut).toEqual([]);
    expect(renderTable(columns, rows, { style, width: 23 }).leftOut).toEqual(["by"]);
  });

  test("renderTable() prints each value on a line of its own when nothing else fits", () => {
    const columns = [{ name: "id" }, { name: "text", isText: true }, { name: "n", leftOut: 1 }];
    const rows = [
      ["0123456789", "one two three", "1"],
      ["a", null, ""],
    ];
    expect(renderTable(columns, rows, { style, width: 14 })).toEqual({
      text: "id    0123456789\ntext  one two\n      three\nn     1\n\nid    a\ntext  NULL\nn\n",
      leftOut: [],
    });
  });

  test("renderTable() wraps a value of 100,000 words in reasonable time", () => {
    const began = performance.now();
    const { text } = renderTable([{ name: "a" }, { name: "b", isText: true }], [["1", "word ".repeat(1e5)]], {
      style,
      width: 80,
    });
    expect(text.split("\n").length).toBeGreaterThan(6000);
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("renderTable() keeps a row on one line when a value holds control characters", () => {
    const { text } = render([["a", "left"]], [["one\ntwo\tthree\u001B[31m"]]);
    expect(text.split("\n")).toHaveLength(4);
    expect(text).toContain("one⏎two⇥three\\u001b[31m");
  });

  test("renderTable() prints names alone when there are no rows", () => {
    expect(render([["a", "left"]], []).text).toBe("a\n─\n");
  });
});

describe("printRows()", () => {
  const { stdout } = process;
  const before = { isTTY: stdout.isTTY, columns: stdout.columns };
  afterEach(() => void Object.assign(stdout, before));

  test.each([true, false])(
    "printRows() prints ids and times in full when stdout is a terminal: %p",
    async (isTTY) => {
      Object.assign(stdout, { isTTY, columns: 50 });
      const printed: string[] = [];
      const messages: string[] = [];
      const terminal = {
        style,
        print: async (data: string | Uint8Array) => void printed.push(String(data)),
        info: (text: string) => void messages.push(text),
      };
      const row = ["3f4a9c2d7b1e8a0", "2026-11-28T05:00:00.000Z", "x".repeat(200), "one two"];
      const columns = ["run", "started", { name: "by", leftOut: 1 }, textColumn("result", 2)];
      await printRows(terminal as unknown as Terminal, columns, [row]);
      for (const value of row.filter((text) => !isTTY || text.length < 100))
        expect(printed[0]).toContain(value);
      expect(messages).toEqual(isTTY ? ["A wider terminal, or --json, also shows: by"] : []);
    },
  );
});
