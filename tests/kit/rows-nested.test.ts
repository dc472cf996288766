import { describe, expect, test } from "bun:test";

import {
  arrow,
  arrowColumn,
  createRowBuilder,
  date,
  int64,
  list,
  struct,
  table,
  utf8,
} from "../../lib/kit/mod.ts";
import { built, refusal } from "./row-values.ts";

describe("createRowBuilder() accepts nested values", () => {
  test("lists, records and maps", () => {
    expect(
      built(list(int64()), [[1, 2], [], null, [null, 3]]).map((v) =>
        v === null ? v : [...(v as Iterable<unknown>)],
      ),
    ).toEqual([[1n, 2n], [], null, [null, 3n]]);
    const people = list(struct({ name: utf8(), tags: list(utf8()) }));
    const [[first, second]] = built(people, [[{ name: "Ada", tags: ["x"] }, { name: "Eve" }]]) as [
      [{ name: string; tags: Iterable<string> }, { name: string; tags: null }],
    ];
    expect([first.name, [...first.tags], second.name, second.tags]).toEqual(["Ada", ["x"], "Eve", null]);
    const entries = new arrow.Field(
      "entries",
      new arrow.Struct([
        new arrow.Field("key", new arrow.Utf8(), false),
        new arrow.Field("value", new arrow.Int32(), true),
      ]),
      false,
    );
    const maps = built(arrowColumn(new arrow.Map_(entries as never)), [
      { a: 1 },
      new Map([["b", 2]]),
      null,
      {},
    ]);
    expect(
      maps.map((map) => (map === null ? null : Object.fromEntries(map as Iterable<[string, number]>))),
    ).toEqual([{ a: 1 }, { b: 2 }, null, {}]);
    const pair = arrowColumn(new arrow.FixedSizeList(2, new arrow.Field("item", new arrow.Float64(), true)));
    expect(
      built(pair, [[1, 2], null, [3, null]]).map((v) => (v === null ? v : [...(v as Iterable<unknown>)])),
    ).toEqual([[1, 2], null, [3, null]]);
    expect(refusal(pair, [1])).toBe("it does not have 2 items");
  });

  test("null for a record or list with non-nullable items", () => {
    const item = new arrow.Field("item", new arrow.Float64(), false);
    expect(built(struct({ name: utf8({ nullable: false }) }), [null, { name: "Ada" }])[0]).toBeNull();
    expect(built(arrowColumn(new arrow.FixedSizeList(2, item)), [null, [1, 2]])[0]).toBeNull();
    expect(refusal(arrowColumn(new arrow.FixedSizeList(2, item)), [1, null])).toContain("is not nullable");
  });

  test("and reports the path of an invalid value", () => {
    const column = list(struct({ name: utf8({ nullable: false }), born: date() }));
    const rejects: string[] = [];
    const builder = createRowBuilder(table("t", { people: column }), {
      onReject: ({ row, column: at, reason }) => rejects.push(`${row} ${at}: ${reason}`),
    });
    builder.append([
      { people: [{ name: "Ada" }, { name: "Eve", born: "soon" }] },
      { people: null },
      { people: [{}] },
      { people: "Ada" },
    ]);
    builder.finish();
    expect(rejects).toEqual([
      "1 people[1].born: the text is not an ISO 8601 date or time",
      "3 people[0].name: it is missing, and the column is not nullable",
      "4 people: a string is not a list",
    ]);
  });

  test("dictionaries through Arrow's own builders", () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32());
    expect(built(arrowColumn(type), ["a", "b", "a", null])).toEqual(["a", "b", "a", null]);
  });
});
