import { describe, expect, test } from "bun:test";

import { renderTable } from "../../cmd/terminal/print-table.ts";
import { styleFor } from "../../cmd/terminal/style.ts";

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

  test("renderTable() shortens the widest column first when the terminal is narrow", () => {
    const { text, shortenedCells, hiddenColumns } = render(
      [
        ["id", "right"],
        ["text", "left"],
      ],
      [["1", "日本語テキスト日本語テキスト"]],
      20,
    );
    expect(text).toBe("id  text\n──  ────────────────\n 1  日本語テキスト…\n");
    expect({ shortenedCells, hiddenColumns }).toEqual({ shortenedCells: 1, hiddenColumns: 0 });
    expect(text.split("\n").every((line) => Bun.stringWidth(line) <= 20)).toBe(true);
  });

  test("renderTable() leaves out the last columns when even short ones do not fit", () => {
    const columns = Array.from({ length: 10 }, (_, index) => [`column_${index}`, "left"] as const);
    const { text, hiddenColumns } = render(columns, [columns.map(() => "a long value here")], 40);
    expect(hiddenColumns).toBe(6);
    expect(text.split("\n").every((line) => Bun.stringWidth(line) <= 40)).toBe(true);
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
