import { describe, expect, test } from "bun:test";
import fc from "fast-check";

import { AgnesError, bigintAsText } from "../../lib/base/mod.ts";
import {
  binary,
  bool,
  list,
  struct,
  createRowBuilder,
  decimal,
  float64,
  int32,
  int64,
  json,
  table,
  timestamp,
  utf8,
  type RowReject,
} from "../../lib/kit/mod.ts";

const people = table("people", { id: int64({ nullable: false }), name: utf8() });

describe("createRowBuilder()", () => {
  test("append() copies rows that are modified later", () => {
    const info = table("t", {
      id: int64(),
      at: timestamp(),
      bytes: binary(),
      tags: list(utf8()),
      place: struct({ city: utf8(), days: list(int64()) }),
      extra: json(),
    });
    const one = {
      id: 0,
      at: new Date(0),
      bytes: new Uint8Array([0]),
      tags: ["0"],
      place: { city: "0", days: [0] },
      extra: { n: [0] },
      unknown: 0,
    };
    const builder = createRowBuilder(info);
    for (let n = 1; n <= 3; n += 1) {
      one.id = n;
      one.at.setTime(n * 1000);
      one.bytes[0] = n;
      one.tags[0] = String(n);
      one.place.city = String(n);
      one.place.days[0] = n;
      one.extra.n[0] = n;
      builder.append([one]);
    }
    class Cursor {
      n = 4;
      get id(): number {
        return this.n;
      }
    }
    const cursor = new Cursor();
    builder.append([cursor as never]);
    cursor.n = 5;
    builder.append([cursor as never]);
    const [batch] = builder.finish();
    const values = (name: string) => JSON.stringify([...batch!.getChild(name)!].slice(0, 3), bigintAsText);
    expect([...batch!.getChild("id")!]).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect([...batch!.getChild("at")!].slice(0, 3)).toEqual([1000, 2000, 3000]);
    expect(values("bytes")).toBe('[{"0":1},{"0":2},{"0":3}]');
    expect(values("tags")).toBe('[["1"],["2"],["3"]]');
    expect(values("place")).toBe(
      '[{"city":"1","days":["1"]},{"city":"2","days":["2"]},{"city":"3","days":["3"]}]',
    );
    expect(values("extra")).toBe(JSON.stringify(['{"n":[1]}', '{"n":[2]}', '{"n":[3]}']));
    expect(Object.fromEntries(builder.unknownKeys)).toEqual({ unknown: 3, n: 2 });
  });

  test("append() returns full batches only, and finish() the rest, for any page size", () => {
    const builder = createRowBuilder(people, { batchRows: 10 });
    const ids: bigint[] = [];
    const sizes: number[] = [];
    let next = 0;
    for (const size of [3, 0, 6, 1, 25, 4, 40]) {
      const rows = Array.from({ length: size }, () => ({ id: next++ }));
      for (const batch of builder.append(rows)) {
        sizes.push(batch.numRows);
        ids.push(...(batch.getChild("id")!.toArray() as BigInt64Array));
      }
    }
    for (const batch of builder.finish()) ids.push(...(batch.getChild("id")!.toArray() as BigInt64Array));
    expect(sizes).toEqual([10, 10, 10, 10, 10, 10, 10]);
    expect(ids).toEqual(Array.from({ length: 79 }, (_, n) => BigInt(n)));
    expect(builder.rows).toBe(79);
    expect(builder.finish()).toEqual([]);
  });

  test("append() throws value_invalid with table, row, column and value", () => {
    const builder = createRowBuilder(people, { batchRows: 2 });
    builder.append([{ id: 1 }, { id: 2 }]);
    let thrown: unknown;
    try {
      builder.append([{ id: 3 }, { id: "x".repeat(200) }]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AgnesError);
    expect(thrown).toMatchObject({
      code: "value_invalid",
      details: { table: "people", row: 4, column: "id" },
    });
    expect((thrown as AgnesError).message.length).toBeLessThan(250);
  });

  test("append() passes invalid rows to onReject and keeps the others in order", () => {
    const rejects: RowReject[] = [];
    const builder = createRowBuilder(people, { onReject: (reject) => rejects.push(reject) });
    const bad = { id: 1.5, name: {} };
    builder.append([{ id: 1 }, bad, { name: "no id" }, { id: 4, name: "d" }, null as never, [] as never]);
    const [batch] = builder.finish();
    expect(batch!.toArray().map((row) => String(row))).toEqual([
      '{"id": 1, "name": null}',
      '{"id": 4, "name": "d"}',
    ]);
    expect(rejects.map(({ row, column, reason }) => [row, column, reason])).toEqual([
      [2, "id", "it is not an integer"],
      [3, "id", "it is missing, and the column is not nullable"],
      [5, "", "the row is not an object"],
      [6, "", "the row is not an object"],
    ]);
    expect(rejects[0]!.record).toEqual(bad);
    expect([builder.rows, builder.rejected]).toEqual([6, 4]);
  });

  test("append() returns no batch if all its rows were rejected", () => {
    const builder = createRowBuilder(people, { onReject: () => {} });
    builder.append([{}, {}]);
    expect(builder.finish()).toEqual([]);
  });

  test("append() counts keys that are not columns and does not modify rows", () => {
    const builder = createRowBuilder(people, { columns: ["id"] });
    const row = Object.freeze({ id: 1, name: "a", extra: 1, other: 2 });
    builder.append(Object.freeze([row, row, { id: 2, extra: 3 }]));
    const [batch] = builder.finish();
    expect(batch!.schema.names).toEqual(["id"]);
    expect(Object.fromEntries(builder.unknownKeys)).toEqual({ extra: 3, other: 2 });
  });

  test("columns selects the columns, in that order, and rejects an unknown one", () => {
    const builder = createRowBuilder(people, { columns: ["name", "id"] });
    builder.append([{ id: 1, name: "a" }]);
    expect(builder.finish()[0]!.schema.names).toEqual(["name", "id"]);
    expect(() => createRowBuilder(people, { columns: ["nam"] })).toThrow("there is no column");
  });

  test("finish() returns the input for any values", () => {
    const row = fc.record(
      {
        id: fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.maxSafeInteger()),
        small: fc.option(fc.integer()),
        real: fc.option(fc.double({ noNaN: true })),
        name: fc.option(fc.string({ unit: "binary" })),
        flag: fc.option(fc.boolean()),
        at: fc.option(
          fc.date({ noInvalidDate: true, min: new Date("0001-01-01"), max: new Date("9999-12-31") }),
        ),
        cents: fc.option(fc.integer()),
        any: fc.option(fc.jsonValue().filter((value) => typeof value !== "string" && value !== null)),
      },
      { requiredKeys: ["id"] },
    );
    const all = table("all", {
      id: int64(),
      small: int32(),
      real: float64(),
      name: utf8(),
      flag: bool(),
      at: timestamp(),
      cents: decimal(18, 2),
      any: json(),
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), fc.integer({ min: 1, max: 20 }), (rows, batchRows) => {
        const builder = createRowBuilder(all, { batchRows });
        const input = rows.map((one, at) => ({
          ...one,
          at: at % 2 === 0 ? one.at : one.at?.toISOString().replace(/^\+0\d/, ""),
          cents: one.cents == null ? null : at % 2 === 0 ? one.cents / 100 : (one.cents / 100).toFixed(2),
        }));
        const batches = [...builder.append(input), ...builder.finish()];
        const read = batches.flatMap((batch) => batch.toArray());
        expect(read.length).toBe(rows.length);
        for (const [at, one] of rows.entries()) {
          const got = read[at]!;
          expect(got["id"]).toBe(BigInt(one.id));
          expect(got["small"]).toBe(one.small ?? null);
          expect(got["real"]).toBe(one.real ?? null);
          expect(got["name"]).toBe(one.name ?? null);
          expect(got["flag"]).toBe(one.flag ?? null);
          expect(got["at"]).toBe(one.at?.getTime() ?? null);
          expect(got["any"]).toBe(one.any == null ? null : JSON.stringify(one.any));
          const cents = got["cents"] as { valueOf(): unknown } | null;
          expect(cents === null ? null : Number(String(cents))).toBe(one.cents ?? null);
        }
      }),
      { numRuns: 150 },
    );
  });
});
