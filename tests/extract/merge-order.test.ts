import { expect, test } from "bun:test";
import { join } from "node:path";

import { quoteLiteral } from "../../lib/duckdb/mod.ts";
import { readExtract, type TablePlan } from "../../lib/extract/mod.ts";
import { int64, table, utf8, type Batch, type Deletions } from "../../lib/kit/mod.ts";
import { incremental, openBench, type Bench } from "./harness.ts";

const info = table(
  "t",
  { id: int64({ nullable: false }), v: utf8(), at: int64() },
  { primaryKey: ["id"], cursor: "at" },
);

/** More than ten, so that text order differs from number order. */
const PARTS = 13;
const KEYS = 12;

/** The rows of each part of a read. A key occurs in several parts, and twice in some. Its last row must win. */
function partsOf(label: string): readonly (readonly (readonly [id: number, v: string])[])[] {
  return Array.from({ length: PARTS }, (_, part) =>
    Array.from({ length: KEYS }, (_row, at) => (at * 5 + part) % KEYS)
      // The key 0 is in every part, the key 1 in every second …
      .filter((id) => part % (id + 1) === 0)
      .flatMap((id): (readonly [number, string])[] => [
        [id, `${label} ${part} first`],
        ...(id % 3 === 0 ? [[id, `${label} ${part} last`] as const] : []),
      ]),
  );
}

const lastOf = (parts: ReturnType<typeof partsOf>): ReadonlyMap<number, string> => new Map(parts.flat());

let written = 0;
/** A file chunk for each part, in the order of the read. */
async function chunksOf(bench: Bench, label: string, origins: boolean): Promise<readonly Batch[]> {
  const chunks: Batch[] = [];
  for (const [part, rows] of partsOf(label).entries()) {
    const data = join(bench.root, `${(written += 1)}.csv`);
    const text = rows.map(([id, v]) => `${id},${v},${label === "new" ? 100 : 1}\n`).join("");
    await bench.services.host.files.write(data, `id,v,at\n${text}`);
    const origin = origins ? { origin: `file-${String(part).padStart(2, "0")}.csv` } : {};
    chunks.push({ kind: "file", format: "csv", data, ...origin });
  }
  return chunks;
}

async function rowsOf(bench: Bench): Promise<ReadonlyMap<number, string>> {
  const rows = await bench.rows<{ id: bigint; v: string }>("SELECT id, v FROM t ORDER BY id");
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  return new Map(rows.map(({ id, v }) => [Number(id), v]));
}

const sorted = (rows: ReadonlyMap<number, string>) => [...rows].toSorted(([a], [b]) => a - b);

const plans: readonly (readonly [string, TablePlan, boolean])[] = [
  ["incremental", incremental(info), false],
  ["incremental over origins", incremental(info), true],
  ["partitioned", incremental(info, { strategy: "partitioned", partitionBy: "at" }), false],
];

for (const [name, plan, origins] of plans) {
  test(`extractSource() keeps the last row of a key in a full read of several parts: ${name}`, async () => {
    await using bench = await openBench();
    const chunks = await chunksOf(bench, "old", origins);
    const stats = await bench.run([plan], () => chunks);
    expect(stats.errors).toEqual([]);
    expect(sorted(await rowsOf(bench))).toEqual(sorted(lastOf(partsOf("old"))));
    if (!origins) return;
    // A part contains only rows of its own file, so that the file can be replaced.
    for (const { path, origin } of (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!
      .parts) {
      const file = quoteLiteral(join(bench.directory, path));
      const found = await bench.rows<{ v: string }>(`SELECT v FROM read_parquet(${file})`);
      expect(found.length).toBeGreaterThan(0);
      const part = Number(/\d+/.exec(origin!)![0]);
      expect(found.filter(({ v }) => !v.startsWith(`old ${part} `))).toEqual([]);
    }
  });
}

test("extractSource() keeps the last row of a key that occurs twice in a full read, in two parts or in one", async () => {
  for (const parts of [
    [[{ id: 1, v: "a", at: 2 }], [{ id: 1, v: "b", at: 1 }]],
    [
      [
        { id: 1, v: "a", at: 2 },
        { id: 1, v: "b", at: 1 },
      ],
    ],
  ]) {
    await using bench = await openBench();
    const chunks: Batch[] = [];
    for (const [part, rows] of parts.entries()) {
      const data = join(bench.root, `${part}.csv`);
      const text = rows.map(({ id, v, at }) => `${id},${v},${at}\n`).join("");
      await bench.services.host.files.write(data, `id,v,at\n${text}`);
      chunks.push({ kind: "file", format: "csv", data });
    }
    await bench.run([incremental(info)], () => chunks);
    expect(await bench.rows("SELECT id, v FROM t")).toEqual([{ id: 1n, v: "b" }]);
  }
});

for (const strategy of ["incremental", "partitioned"] as const) {
  const plan = incremental(info, {
    strategy,
    ...(strategy === "partitioned" ? { partitionBy: "at" } : {}),
  });
  test(`extractSource() merges a delta of several parts and deletions in order: ${strategy}`, async () => {
    await using bench = await openBench();
    const old = Array.from({ length: KEYS }, (_, id) => ({ id, v: "old", at: 1 }));
    await bench.run([plan], () => [old]);
    const chunks = await chunksOf(bench, "new", false);
    const gone = (...ids: number[]): Deletions => ({ kind: "deletions", keys: ids.map((id) => ({ id })) });
    // Keys 2 and 3 occur again after the first deletion, 11 only before the last one.
    const last = gone(0, 11);
    const stats = await bench.run(
      [plan],
      () => [gone(0, 2, 3), ...chunks.slice(0, 5), gone(5), ...chunks.slice(5), last] as Iterable<Batch>,
    );
    expect(stats.errors).toEqual([]);
    const expected = new Map<number, string>(old.map(({ id, v }) => [id, v]));
    for (const [id, v] of lastOf(partsOf("new"))) expected.set(id, v);
    for (const id of [0, 11]) expected.delete(id);
    expect(sorted(await rowsOf(bench))).toEqual(sorted(expected));
  });
}

test("extractSource() keeps the last row of a key that is in several parts of a stream of batches", async () => {
  await using bench = await openBench();
  const plan = incremental(info);
  const batches = (v: string, at: number) =>
    Array.from({ length: 30 }, (_, batch) =>
      Array.from({ length: 2000 }, (_row, row) => ({ id: row, v: `${v} ${batch}`, at })),
    );
  for (const [v, at] of [
    ["old", 1],
    ["new", 2],
  ] as const) {
    await bench.run([plan], () => batches(v, at), { partRows: 2000 });
    expect(await bench.rows("SELECT v, count(*) AS n FROM t GROUP BY v")).toEqual([
      { v: `${v} 29`, n: 2000n },
    ]);
  }
  expect((await readExtract(bench.services.host.files, bench.directory))!.tables[0]!.rows).toBe(2000);
});
