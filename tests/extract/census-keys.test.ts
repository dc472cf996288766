import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { extractSource } from "../../lib/extract/mod.ts";
import { arrow, int32, int64, table, utf8, type Batch } from "../../lib/kit/mod.ts";
import { batches, DAY_MS, openCensus, rows } from "./census-source.ts";
import { connectorOf, incremental, sourceOf } from "./harness.ts";

describe("the keys of a census", () => {
  const pair = table(
    "t",
    { id: int64({ nullable: false }), code: utf8({ nullable: false }), at: int64() },
    { primaryKey: ["id", "code"], cursor: "at" },
  );

  test("are converted as those of rows, in Arrow batches, rows and files", async () => {
    const values = [1, 2, 3].map((id) => ({ id, code: `a${id}`, at: id }));
    const batch = arrow.tableFromArrays({ id: new Int32Array([1]), code: ["a1"] }).batches[0]!;
    await using census = await openCensus();
    const { source, bench } = census;
    const csv = join(bench.root, "keys.csv");
    await writeFile(csv, "id,code\n01,a1\n");
    const file = { kind: "file", format: "csv", data: csv } as const;
    const reads: readonly Batch[] = [[{ id: "1", code: "a1" }], [{ id: 1n, code: "a1", at: 9 }], file, batch];
    for (const [at, keys] of reads.entries()) {
      const of = incremental({ ...pair, name: `t${at}` }, { fullKeysMs: DAY_MS });
      await bench.run([of], () => [values]);
      census.advance(2);
      source.keys = () => batches([keys]);
      source.delta = () => batches([]);
      const stats = await census.sync(of);
      expect(stats.errors).toEqual([]);
      expect(await bench.rows(`SELECT id, code FROM t${at}`)).toEqual([{ id: 1n, code: "a1" }]);
    }
  });

  test("are compared in slices if they need more than the memory", async () => {
    await using census = await openCensus();
    const { bench, source } = census;
    const services = { ...bench.services, limits: { ...bench.services.limits, memoryMb: 64 } };
    const of = incremental(pair, { fullKeysMs: DAY_MS });
    const batch = (from: number) =>
      arrow.tableFromArrays({
        id: BigInt64Array.from({ length: 30_000 }, (_, at) => BigInt(from + at)),
        code: Array.from({ length: 30_000 }, (_, at) => `c${(from + at) % 7}`),
        at: BigInt64Array.from({ length: 30_000 }, (_, at) => BigInt(from + at)),
      }).batches[0]!;
    const all = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((place) => batch(place * 30_000));
    const request = { directory: bench.directory, tables: [of], source: sourceOf(census.connector) };
    await extractSource(services, { ...request, source: sourceOf(connectorOf(() => all)) });
    census.advance(8);
    source.keys = () => batches(all.map((one) => one.slice(0, 29_999).select(["id", "code"])));
    source.delta = () => batches([]);
    const stats = await extractSource(services, request);
    expect(stats.errors).toEqual([]);
    expect(stats.tables[0]!.notes.join()).toContain("9 published rows");
    const [found] = await bench.rows("SELECT count(*)::INT AS n, min(id % 30000)::INT AS low FROM t");
    expect(found).toEqual({ n: 269_991, low: 0 });
    expect(await bench.rows("SELECT id FROM t WHERE id % 30000 = 29999")).toEqual([]);
  });

  test("are compared in the wider type when the source has another one", async () => {
    await using census = await openCensus();
    const { source, bench } = census;
    const narrow = table(
      "t",
      { id: int32({ nullable: false }), v: utf8(), at: int64() },
      { primaryKey: ["id"], cursor: "at" },
    );
    await bench.run([incremental(narrow, { fullKeysMs: DAY_MS })], () => [rows(0, 3)]);
    census.advance(8);
    source.keys = () => batches([[{ id: 1 }, { id: 5_000_000_000 }]]);
    source.delta = () => batches([[{ id: 5_000_000_000, v: "big", at: 100 }]]);
    expect((await census.sync()).errors).toEqual([]);
    expect(await census.ids()).toBe("1 5000000000");
  });

  test("fail the table if they are null or do not fit, or count for the limit of its quarantine", async () => {
    const nullable = table(
      "t",
      { id: int64(), v: utf8(), at: int64() },
      { primaryKey: ["id"], cursor: "at" },
    );
    const few = [...rows(0, 200), { id: null }, { id: "x" }];
    const cases = [
      [{ quarantine: false }, [{ id: null }, { id: 1 }], "primary_key_null"],
      [{ quarantine: false }, [{ id: "x" }, { id: 1 }], "value_invalid"],
      [{ quarantine: false, invalidValues: "set_null" }, [{ id: "x" }, { id: 1 }], "value_invalid"],
      [{ quarantine: true }, [{ id: null }, { id: "x" }, { id: 1 }], "quarantine_exceeded"],
      [{ quarantine: true }, few, undefined],
    ] as const;
    for (const [settings, keys, code] of cases) {
      const of = incremental(nullable, { fullKeysMs: DAY_MS, ...settings });
      await using census = await openCensus();
      const { source, bench } = census;
      await bench.run([of], () => [rows(0, 201)]);
      census.advance(2);
      source.keys = () => batches([keys]);
      source.delta = () => batches([]);
      const stats = await census.sync(of);
      expect(stats.errors[0]?.error.code).toBe(code as never);
      const [found] = await bench.rows<{ n: bigint }>("SELECT count(*) AS n FROM t");
      expect(found!.n).toBe(code === undefined ? 200n : 201n);
      if (code !== undefined) continue;
      expect(stats.tables[0]).toMatchObject({ rowsQuarantined: 0, rowsDeleted: 1 });
      expect(stats.tables[0]!.notes).toEqual([
        "key census: 1 published row was not in the source and was deleted; 2 keys of the source did not fit and had no effect",
      ]);
    }
  });
});
