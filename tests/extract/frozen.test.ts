import { describe, expect, test } from "bun:test";

import { isAgnesError } from "../../lib/base/mod.ts";
import { evolve } from "../../lib/extract/schema/evolve.ts";
import type { PublishedColumn } from "../../lib/extract/format/extract-state.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { float64, int32, int64, table, utf8, type Column, type FileReading } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf } from "./harness.ts";

const key = { id: int64({ nullable: false }), at: int64() };
const usual = { ...key, a: utf8(), n: int64() };

/** A change of the source for each kind of difference. */
const changes: readonly (readonly [string, Record<string, Column>, string])[] = [
  ["an added column", { ...usual, b: utf8() }, "column b VARCHAR was added"],
  ["a removed column", { ...key, a: utf8() }, "column n BIGINT was removed"],
  ["a wider type", { ...usual, n: float64() }, "column n changed from BIGINT to DOUBLE"],
  ["a narrower type", { ...usual, n: int32() }, "column n changed from BIGINT to INTEGER"],
  [
    "a column that is no longer nullable",
    { ...usual, n: int64({ nullable: false }) },
    "column n may no longer be null",
  ],
  ["another order", { ...key, n: int64(), a: utf8() }, "the order of the columns changed to id, at, n, a"],
];

const ways = [
  ["a delta", "incremental", false],
  ["a full refresh", "full_refresh", false],
  ["a full read on request", "incremental", true],
] as const;

describe("a frozen schema", () => {
  for (const [at, [what, columns, expected]] of changes.entries()) {
    // One change is enough to test the other strategies.
    test.each(at === 0 ? [...ways] : [ways[0]])(
      `fails the table at ${what}, when %s is read`,
      async (_way, strategy, full) => {
        await using bench = await openBench();
        const read = (source: Record<string, Column>, options: { readonly full?: boolean } = {}) => {
          const described = table("t", source, { primaryKey: ["id"], cursor: "at" });
          const overrides = { schemaPolicy: "freeze", strategy } as const;
          const plan =
            strategy === "incremental" ? incremental(described, overrides) : planOf(described, overrides);
          return bench.run([plan], () => [[{ id: 1, at: 1, n: 1 }]], options);
        };
        expect((await read(usual)).errors).toEqual([]);
        const stats = await read(columns, { full });
        const [failed] = stats.errors;
        expect(failed?.error.code).toBe("schema_frozen");
        expect(failed!.error.message).toContain(expected);
        expect(stats.published).toBe(false);
        const kept = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;
        expect(kept.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
          "id BIGINT",
          "at BIGINT",
          "a VARCHAR",
          "n BIGINT",
        ]);
        expect((await read(usual)).errors).toEqual([]);
      },
    );
  }

  test("is compared with the last description of the source, not with the published columns", async () => {
    await using bench = await openBench();
    const read = (source: Record<string, Column>, schemaPolicy: "evolve" | "freeze") =>
      bench.run(
        [incremental(table("t", source, { primaryKey: ["id"], cursor: "at" }), { schemaPolicy })],
        () => [[{ id: 1, at: 1, n: 1 }]],
      );
    await read(usual, "evolve");
    // The removed column stays published, and the type stays as wide as before.
    await read({ ...key, n: int32() }, "evolve");
    const same = await read({ ...key, n: int32() }, "freeze");
    expect(same.errors).toEqual([]);
    const back = await read({ ...usual, n: int32() }, "freeze");
    expect(back.errors[0]?.error.message).toContain("column a VARCHAR was added");
  });

  test("allows the first publish of a table", () => {
    const columns: readonly PublishedColumn[] = [{ name: "id", type: "BIGINT", nullable: true }];
    const options = { policy: "freeze", accept: true, replaced: true } as const;
    expect(evolve("t", null, columns, options)).toEqual({ columns, changes: [] });
    const empty = { columns: [], sourceColumns: [] };
    expect(evolve("t", empty, columns, options)).toEqual({ columns, changes: [] });
  });

  test("fails when files are read differently, and accepts a reading if none was recorded", () => {
    const columns: readonly PublishedColumn[] = [{ name: "id", type: "BIGINT", nullable: true }];
    const published = { columns, sourceColumns: columns };
    const one: FileReading = { format: "ndjson", columns: [] };
    const other: FileReading = { format: "json", columns: [] };
    const options = { policy: "freeze", accept: false, replaced: true, reading: other } as const;
    expect(evolve("t", published, columns, options).changes).toEqual([]);
    expect(evolve("t", { ...published, reading: other }, columns, options).changes).toEqual([]);
    let thrown: unknown;
    try {
      evolve("t", { ...published, reading: one }, columns, { ...options, accept: true });
    } catch (error) {
      thrown = error;
    }
    expect(isAgnesError(thrown, "schema_frozen")).toBe(true);
    expect(String(thrown)).toContain("its files were read as ndjson and are now read as json");
    const followed = evolve("t", { ...published, reading: one }, columns, { ...options, policy: "evolve" });
    expect(followed.changes.map(({ kind }) => kind)).toEqual(["reading_changed"]);
  });
});
