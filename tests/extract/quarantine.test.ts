import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { AgnesError } from "../../lib/base/mod.ts";
import {
  createRowBuilder,
  float64,
  int64,
  struct,
  table,
  utf8,
  type AnyConnector,
  type Batch,
  type RowReject,
} from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type ReadFunction } from "./harness.ts";

const info = table("t", { id: int64(), at: int64(), v: utf8() }, { primaryKey: ["id"], cursor: "at" });
const good = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ id: from + i, at: from + i }));
const bad = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `no${i}`, at: 1 }));
const refresh = planOf(info, { quarantine: true });

async function readOnce(rows: Batch, overrides: Partial<typeof refresh> = {}) {
  await using bench = await openBench();
  await bench.run([refresh], () => [good(7)]);
  const stats = await bench.run([{ ...refresh, ...overrides }], () => [rows]);
  const [count] = await bench.rows<{ n: bigint }>("SELECT count(*) AS n FROM t");
  return { stats: stats.tables[0]!, rows: Number(count!.n) };
}

test("extractSource() fails a table if more than 5 % of the rows are rejected, and keeps the published data", async () => {
  const { stats, rows } = await readOnce([...bad(6), ...good(94)]);
  expect(stats).toMatchObject({ status: "failed", rowsRead: 100, rowsQuarantined: 6, rows: 7 });
  expect(stats.error?.code).toBe("quarantine_exceeded");
  expect(stats.error?.message).toContain("6 of 100 rows");
  expect(stats.error?.message).toContain(
    'column id: the text is not an integer (for example "no0" in row 1)',
  );
  expect(stats.error?.hint).toContain(stats.quarantinePath!);
  expect(stats.error?.hint).toContain(`agnes table update ${refresh.id} --quarantine-max-percent 6`);
  expect(rows).toBe(7);
  expect((await readOnce([...bad(5), ...good(95)])).stats.status).toBe("extracted");
});

test("extractSource() applies the maximum percentage of the table", async () => {
  const half = [...bad(5), ...good(5)];
  expect((await readOnce(half, { quarantineMaxPercent: 50 })).stats.status).toBe("extracted");
  expect((await readOnce(half, { quarantineMaxPercent: 49 })).stats.status).toBe("failed");
  expect((await readOnce([...bad(1), ...good(99)], { quarantineMaxPercent: 0 })).stats.status).toBe("failed");
});

test("extractSource() never replaces rows if all new rows are rejected, regardless of the maximum percentage", async () => {
  const { stats, rows } = await readOnce(bad(3), { quarantineMaxPercent: 100 });
  expect(stats.error?.code).toBe("quarantine_exceeded");
  expect(stats.error?.message).toContain("no row was left");
  expect(stats.error?.hint).not.toContain("--quarantine-max-percent");
  expect(rows).toBe(7);
});

test("extractSource() names the main reason and the file in its notes", async () => {
  const { stats } = await readOnce([...bad(2), { id: 5, at: "late" }, ...good(97)]);
  expect(stats.notes).toEqual([
    `3 rows were rejected; the most frequent reason: column id: the text is not an integer (for example "no0" in row 1); see ${stats.quarantinePath}`,
  ]);
});

test("extractSource() applies the percentage of a short incremental read to 100 rows", async () => {
  const plan = incremental(info, { quarantine: true });
  const statusOf = async (rejected: number, percent = 5) => {
    await using bench = await openBench();
    const set = { ...plan, quarantineMaxPercent: percent };
    const read: ReadFunction = (_, { cursor }) => [cursor === undefined ? good(7) : bad(rejected)];
    await bench.run([set], read);
    const stats = await bench.run([set], read);
    expect(await bench.rows("SELECT count(*) AS n FROM t")).toEqual([{ n: 7n }]);
    return stats.tables[0]!.status;
  };
  expect(await statusOf(1)).toBe("unchanged");
  expect(await statusOf(5)).toBe("unchanged");
  expect(await statusOf(6)).toBe("failed");
  expect(await statusOf(1, 0)).toBe("failed");
});

test("extractSource() does not replace the rows of a file if all new rows are rejected", async () => {
  await using bench = await openBench();
  const plan = incremental(info, { quarantine: true, primaryKey: [], quarantineMaxPercent: 100 });
  let written = 0;
  const chunk = async (name: string, text: string): Promise<Batch> => {
    const path = join(bench.root, `${(written += 1)}-${name}`);
    await bench.services.host.files.write(path, `id,at\n${text}`);
    return { kind: "file", format: "csv", data: path, origin: name };
  };
  await bench.run([plan], async function* (): AsyncIterable<Batch> {
    yield await chunk("a.csv", "1,1\n2,2\n");
    yield await chunk("b.csv", "3,3\n");
  } as never);
  const stats = await bench.run([plan], async function* (): AsyncIterable<Batch> {
    yield await chunk("a.csv", "x,1\ny,2\n");
    yield await chunk("b.csv", "3,3\n4,4\n");
  } as never);
  expect(stats.errors[0]?.error.code).toBe("quarantine_exceeded");
  expect(stats.errors[0]?.error.message).toContain("of a.csv");
  expect(await bench.rows("SELECT id FROM t ORDER BY id")).toEqual([{ id: 1n }, { id: 2n }, { id: 3n }]);
});

test("extractSource() discards the rejected rows of a read when the connector describes the table again", async () => {
  await using bench = await openBench();
  let described = 0;
  const connector: AnyConnector = {
    async *read() {
      yield [...good(40), ...bad(2)];
      if (described === 0) {
        // Enough rows that the earlier ones are already checked.
        yield good(9_000, 40);
        throw new AgnesError("file_reading_outdated", { file: "t.csv", reason: "a column is new" });
      }
    },
    redescribe: async (one) => {
      described += 1;
      return one;
    },
  };
  const stats = await bench.run([refresh], connector);
  expect(described).toBe(1);
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rowsRead: 42, rowsQuarantined: 2, rows: 40 });
  const text = await readFile(stats.tables[0]!.quarantinePath!, "utf8");
  expect(
    text
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as RowReject).value),
  ).toEqual(['"no0"', '"no1"']);
});

test("extractSource() writes rejected rows with the numbers as in their file", async () => {
  await using bench = await openBench();
  const n = struct({ big: int64(), many: utf8() });
  const plan = planOf(table("t", { id: int64(), n }), { quarantine: true, quarantineMaxPercent: 90 });
  const row = (id: string) => `{"id":${id},"n":{"big":9007199254740993,"many":0.12345678901234567890}}`;
  const path = join(bench.root, "t.ndjson");
  await bench.services.host.files.write(path, `${row("1")}\n${row('"x"')}\n`);
  const stats = await bench.run([plan], () => [
    { kind: "file", format: "ndjson", data: path, origin: "t.ndjson" },
  ]);
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rows: 1, rowsQuarantined: 1 });
  const text = await readFile(stats.tables[0]!.quarantinePath!, "utf8");
  expect(text).toEndWith(`,"record":${row('"x"')}}\n`);
});

test("extractSource() quarantines rows without a key whose numbers JSON cannot hold", async () => {
  await using bench = await openBench();
  const n = struct({ odd: float64(), big: int64() });
  const loose = table("t", { id: int64({ nullable: true }), n }, { primaryKey: ["id"] });
  const plan = incremental(loose, { quarantine: true, quarantineMaxPercent: 90 });
  const stats = await bench.run([plan], () => [
    [
      { id: 1, n: { odd: 1, big: 1 } },
      { id: null, n: { odd: NaN, big: 9007199254740993n } },
      { id: "x", n: { odd: -Infinity, big: 2 } },
    ],
  ]);
  expect(stats.tables[0]).toMatchObject({ status: "extracted", rows: 1, rowsQuarantined: 2 });
  const lines = (await readFile(stats.tables[0]!.quarantinePath!, "utf8")).trimEnd().split("\n");
  expect(lines.map((line) => line.slice(line.indexOf('"record":')))).toEqual([
    '"record":{"id":"x","n":{"odd":"-Infinity","big":2}}}',
    '"record":{"id":null,"n":{"odd":"NaN","big":9007199254740993}}}',
  ]);
});

async function quarantined(path: string): Promise<readonly RowReject[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as RowReject);
}

test("extractSource() reports the row number, from 1, and the file of each rejected row, for every kind of error", async () => {
  await using bench = await openBench();
  const loose = table(
    "t",
    { id: int64({ nullable: true }), n: int64({ nullable: true }), text: utf8() },
    { primaryKey: ["id"] },
  );
  const plan = planOf(loose, { primaryKey: ["id"], quarantine: true, quarantineMaxPercent: 90 });
  const chunk = async (origin: string, text: string): Promise<Batch> => {
    const path = join(bench.root, origin);
    await bench.services.host.files.write(path, text);
    return { kind: "file", format: "csv", data: path, origin };
  };
  const second =
    'id,n,text\n1,1,"a\nb"\n\n2\n,3,no key\n4,x,odd\n5,5,fine\n,6,no key\n7,7,a,b\n8,y,odd\n9,9,z\n,10,no key\n';
  const stats = await bench.run([plan], async function* (): AsyncIterable<Batch> {
    yield await chunk("a.csv", "id,n,text\n11,1,a\n,2,b\n");
    yield await chunk("b.csv", second);
  } as never);
  expect(stats.errors).toEqual([]);
  const found = (await quarantined(stats.tables[0]!.quarantinePath!)).map(
    ({ row, origin, column, reason, record }) => [
      origin,
      row,
      column,
      reason,
      (record as { line?: number }).line,
    ],
  );
  const wide = (count: string) => `it has ${count}, the header has 3`;
  const noKey = "the primary key is null";
  expect(found).toEqual([
    ["b.csv", 2, "", wide("1 value"), 5],
    ["b.csv", 4, "n", "it is not BIGINT", undefined],
    ["b.csv", 7, "", wide("4 values"), 10],
    ["b.csv", 8, "n", "it is not BIGINT", undefined],
    ["a.csv", 2, "id", noKey, undefined],
    ["b.csv", 3, "id", noKey, undefined],
    ["b.csv", 6, "id", noKey, undefined],
    ["b.csv", 10, "id", noKey, undefined],
  ]);
});

test("extractSource() numbers rejected row objects across the read, and rows with a null key if possible", async () => {
  const loose = table(
    "t",
    { id: int64({ nullable: true }), at: int64() },
    { primaryKey: ["id"], cursor: "at" },
  );
  const rows = [
    { id: 1, at: 1 },
    { id: "x", at: 2 },
    { id: null, at: 3 },
  ];
  const builder = createRowBuilder(loose);
  builder.append([{ id: 9, at: 9 }]);
  const [between] = builder.finish();
  await using bench = await openBench();
  const plan = incremental(loose, { quarantine: true, quarantineMaxPercent: 90 });
  const first = await bench.run([plan], () => [rows, between!, rows]);
  const rowsOf = async (path: string) => (await quarantined(path)).map(({ row }) => row);
  expect(await rowsOf(first.tables[0]!.quarantinePath!)).toEqual([2, 6, 3, 7]);
});
