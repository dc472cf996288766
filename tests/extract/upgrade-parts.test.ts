import { rename, stat } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { float64, int32, int64, table, utf8, type Batch, type ReadResult } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench } from "./harness.ts";

const info = table(
  "orders",
  { id: int64({ nullable: false }), hash: int32(), note: utf8() },
  { primaryKey: ["id"], cursor: "id" },
);

const rowOf = (id: number) => ({ id, hash: (id * 2654435761) | 0, note: id % 3 === 0 ? null : `note ${id}` });
const rows = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => rowOf(from + at));

/** Converts an extract to that of the previous release: Parquet version 2, without a format in `_parts`. */
async function age(bench: Bench): Promise<void> {
  await using database = await openDatabase({ path: join(bench.directory, "extract.duckdb") });
  await using connection = await database.connect();
  for (const { path } of await connection.rows<{ path: string }>("SELECT path FROM _parts")) {
    const file = join(bench.directory, path);
    await connection.run(
      `COPY (FROM '${file}') TO '${file}.aged' (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, PRESERVE_ORDER true)`,
    );
    await rename(`${file}.aged`, file);
    const { size } = await stat(file);
    await connection.run(`UPDATE _parts SET size_bytes = ${size} WHERE path = '${path}'`);
  }
  await connection.run("ALTER TABLE _parts DROP COLUMN format");
}

const encodings = (bench: Bench) =>
  bench.rows<{ encodings: string }>(
    `SELECT DISTINCT encodings FROM parquet_metadata('${bench.directory}/data/orders/*.parquet') p
     WHERE split_part(p.file_name, '/data/', 2) IN (SELECT split_part(path, 'data/', 2) FROM _parts)`,
  );

/** The rows in the order of the files. */
async function inOrder(bench: Bench): Promise<readonly unknown[]> {
  const parts = await bench.rows<{ path: string }>("SELECT path FROM _parts ORDER BY ordinal");
  const files = parts.map(({ path }) => `'${join(bench.directory, path)}'`).join(", ");
  return bench.rows(
    `SELECT id, hash, note FROM read_parquet([${files}], filename = 'file')
     ORDER BY list_position([${files}], file), file_row_number`,
  );
}

const isOld = (found: readonly { readonly encodings: string }[]) =>
  found.some((row) => row.encodings.includes("DELTA"));

test("extractSource() rewrites parts of the former format once when nothing else changed", async () => {
  await using bench = await openBench();
  let changed = true;
  const read = async function* (): AsyncGenerator<Batch, ReadResult> {
    if (changed) yield rows(0, 30_000);
    return { unchanged: !changed, state: { page: 7 } };
  };
  const run = () => bench.run([planOf(info)], read, { partRows: 8192 });
  await run();
  await age(bench);
  expect(isOld(await encodings(bench))).toBe(true);
  const before = (await readExtract(bench.services.host.files, bench.directory))!;
  expect(before.tables[0]!.parts.length).toBe(4);
  const written = await inOrder(bench);

  changed = false;
  const stats = await run();
  expect(stats.published).toBe(true);
  expect(stats.tables[0]).toMatchObject({ partsWritten: before.tables[0]!.parts.length, rows: 30_000 });
  expect(stats.tables[0]!.notes.join()).toContain("every Parquet reader");
  expect(isOld(await encodings(bench))).toBe(false);
  const after = (await readExtract(bench.services.host.files, bench.directory))!;
  const apart = ({ parts: _parts, sizeBytes: _size, ...rest }: (typeof before.tables)[number]) => rest;
  expect(apart(after.tables[0]!)).toEqual(apart(before.tables[0]!));
  const kept = ({
    path: _path,
    sizeBytes: _size,
    sha256: _hash,
    format: _format,
    ...rest
  }: (typeof before.tables)[number]["parts"][number]) => rest;
  expect(after.tables[0]!.parts.map(kept)).toEqual(before.tables[0]!.parts.map(kept));
  expect(await inOrder(bench)).toEqual(written);

  const again = await run();
  expect(again).toMatchObject({ published: false, generation: stats.generation });
});

test("extractSource() rewrites unaffected parts with their bounds and origins", async () => {
  await using bench = await openBench();
  let from = 0;
  let to = 30_000;
  const read = async function* (): AsyncGenerator<Batch> {
    yield rows(from, to);
  };
  const run = () => bench.run([incremental(info)], read, { partRows: 8192 });
  await run();
  await age(bench);
  const before = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;
  [from, to] = [29_999, 30_010];
  await run();
  expect(isOld(await encodings(bench))).toBe(false);
  const after = (await readExtract(bench.services.host.files, bench.directory))!.tables[0]!;
  const bounds = (parts: typeof after.parts) =>
    parts.map((part) => [part.keyMin, part.keyMax, part.cursorMax]);
  for (const bound of bounds(before.parts).slice(0, 3)) expect(bounds(after.parts)).toContainEqual(bound);
  expect(after.cursor).toEqual({ column: "id", value: "30009" });
  const found = await bench.rows<{ id: bigint; hash: number; note: string | null }>(
    "FROM orders ORDER BY id",
  );
  expect(found.map((row) => ({ ...row, id: Number(row.id) }))).toEqual(rows(0, 30_010));
  expect(await run()).toMatchObject({ published: false });
});

test("extractSource() stores both zeros in few parts", async () => {
  await using bench = await openBench();
  const numbers = table("numbers", { id: int64(), value: float64() });
  const read = async function* (): AsyncGenerator<Batch> {
    for (let page = 0; page < 6; page++) {
      yield Array.from({ length: 8192 }, (_, at) => ({
        id: page * 8192 + at,
        value: page === 3 && at % 2 === 0 ? -0 : 0,
      }));
    }
  };
  const stats = await bench.run([planOf(numbers)], read);
  expect(stats.tables[0]!.parts).toBeLessThanOrEqual(2);
  expect(
    await bench.rows("SELECT value::VARCHAR AS value, count(*) AS n FROM numbers GROUP BY ALL ORDER BY n"),
  ).toEqual([
    { value: "-0.0", n: 4096n },
    { value: "0.0", n: 45_056n },
  ]);
});
