import { expect, test } from "bun:test";

import { createRowBuilder, table, utf8 } from "../../lib/kit/mod.ts";

test("createRowBuilder() accepts texts of many megabytes", () => {
  const letter = "é";
  const builder = createRowBuilder(table("t", { text: utf8() }), { batchRows: 4 });
  const texts = ["a".repeat(9_000_000), letter.repeat(9_000_000), "", "b"];
  const [batch] = builder.append(texts.map((text) => ({ text })));
  const column = batch!.getChild("text")!;
  expect(column.data[0]!.values.byteLength).toBe(27_000_001);
  expect(texts.map((text, at) => (column.get(at) as string) === text)).toEqual([true, true, true, true]);
});
