import { expect, test } from "bun:test";

import { int64, table, utf8, type Batch } from "../../lib/kit/mod.ts";
import { incremental, openBench, planOf, type Bench, type ReadFunction } from "./harness.ts";

const info = table("t", { id: int64(), at: int64(), v: utf8() }, { primaryKey: ["id"], cursor: "at" });
const good = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ id: from + i, at: from + i, v: "a" }));
const bad = (at: number) => [{ id: `no${at}`, at, v: "b" }];
const rules = { quarantine: true, quarantineMaxPercent: 5 } as const;
const off = { quarantine: false, quarantineMaxPercent: 5 } as const;
const changing = incremental(info, rules);

/** A source whose invalid row is repaired when `isRepaired` returns true. Incremental reads apply the cursor. */
function sourceOf(isRepaired: () => boolean): ReadFunction {
  return (_, { cursor }) => {
    const rows = [...good(40), ...(isRepaired() ? good(1, 40) : bad(40)), ...good(9, 41)];
    return [rows.filter(({ at }) => cursor === undefined || at >= Number(cursor.value))];
  };
}

const countOf = async (bench: Bench) =>
  Number((await bench.rows<{ n: bigint }>("SELECT count(*) AS n FROM t"))[0]!.n);

test("extractSource() reads a table in full when its quarantine is disabled after rows were rejected", async () => {
  await using bench = await openBench();
  let isRepaired = false;
  const read = sourceOf(() => isRepaired);
  await bench.run([changing], read);
  expect(await countOf(bench)).toBe(49);
  expect((await bench.run([changing], read)).tables[0]!.status).toBe("unchanged");
  for (const plan of [{ ...changing, ...off }, changing, { ...changing, ...off }]) {
    const { status } = (await bench.run([plan], read)).tables[0]!;
    expect(status).toBe(plan.quarantine ? "unchanged" : "failed");
  }
  isRepaired = true;
  const [whole] = (await bench.run([{ ...changing, ...off }], read)).tables;
  expect(whole).toMatchObject({ status: "extracted", full: true, rows: 50 });
  expect(whole!.notes).toContain(
    "rows were rejected under looser quarantine rules, so the table was read in full",
  );
  expect((await bench.run([{ ...changing, ...off }], read)).tables[0]).toMatchObject({
    status: "unchanged",
    full: false,
  });
});

test("extractSource() reads a table in full when the maximum percentage is lowered after rows were rejected", async () => {
  await using bench = await openBench();
  const read = sourceOf(() => false);
  await bench.run([changing], read);
  const lower = { ...changing, quarantineMaxPercent: 1 };
  const [failed] = (await bench.run([lower], read)).tables;
  expect(failed!.error?.code).toBe("quarantine_exceeded");
  const [enough] = (await bench.run([{ ...changing, quarantineMaxPercent: 2 }], read)).tables;
  expect(enough).toMatchObject({ status: "extracted", full: true, rows: 49, rowsQuarantined: 1 });
  const higher = await bench.run([{ ...changing, quarantineMaxPercent: 9 }], read);
  expect(higher.tables[0]).toMatchObject({ status: "unchanged", full: false });
});

test("extractSource() reads a table in full when rejected values can now widen a column", async () => {
  await using bench = await openBench();
  const read = sourceOf(() => false);
  const frozen = { ...changing, schemaPolicy: "freeze" } as const;
  await bench.run([frozen], read);
  expect((await bench.run([frozen], read)).tables[0]!.full).toBe(false);
  expect((await bench.run([changing], read)).tables[0]!.full).toBe(true);
  expect((await bench.run([changing], read)).tables[0]!.full).toBe(false);
  expect((await bench.run([frozen], read)).tables[0]!.full).toBe(false);
});

test("extractSource() remembers rows that were rejected by a read that changed nothing else", async () => {
  await using bench = await openBench();
  let rows: readonly { id: number | string; at: number; v: string }[] = good(40);
  const read: ReadFunction = (_, { cursor }) => [
    cursor === undefined ? rows : rows.filter(({ at }) => Number(at) >= Number(cursor.value)),
  ];
  await bench.run([changing], read);
  rows = [...good(40), ...bad(39)];
  const [stats] = (await bench.run([changing], read)).tables;
  expect(stats).toMatchObject({ status: "unchanged", rowsQuarantined: 1 });
  expect((await bench.run([{ ...changing, ...off }], read)).tables[0]!.status).toBe("failed");
  rows = good(41);
  expect((await bench.run([{ ...changing, ...off }], read)).tables[0]).toMatchObject({
    full: true,
    rows: 41,
  });
});

test("extractSource() does not read in full when no row was rejected or all rows are published again", async () => {
  await using bench = await openBench();
  let isRepaired = true;
  const read = sourceOf(() => isRepaired);
  await bench.run([changing], read);
  expect((await bench.run([{ ...changing, ...off }], read)).tables[0]!.full).toBe(false);
  isRepaired = false;
  await bench.run([changing], read, { full: true });
  isRepaired = true;
  await bench.run([changing], read, { full: true });
  expect((await bench.run([{ ...changing, ...off }], read)).tables[0]).toMatchObject({
    full: false,
    rows: 50,
  });
});

test("extractSource() remembers the rejected rows of a file that a later read does not yield", async () => {
  await using bench = await openBench();
  const plan = planOf(table("t", { id: int64() }), rules);
  const write = async (name: string, text: string): Promise<Batch> => {
    const path = `${bench.root}/${name}`;
    await bench.services.host.files.write(path, `id\n${text}`);
    return { kind: "file", format: "csv", data: path, origin: name, types: { id: "BIGINT" } };
  };
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");
  const a = await write("a.csv", `${numbers(0, 50)}x\n`);
  const b = await write("b.csv", numbers(50, 60));
  await bench.run([plan], async function* () {
    yield a;
    return { state: 1 };
  });
  // With its state, the source yields only new files: `b.csv`, and then none.
  const read: ReadFunction = async function* (_, { state }) {
    if (state === undefined) yield a;
    if (state !== 2) yield b;
    return state === undefined
      ? { state: 2 }
      : { state: 2, kept: state === 2 ? ["a.csv", "b.csv"] : ["a.csv"] };
  };
  expect((await bench.run([plan], read)).tables[0]).toMatchObject({ status: "extracted", rows: 60 });
  expect((await bench.run([plan], read)).tables[0]!.status).toBe("unchanged");
  expect((await bench.run([{ ...plan, ...off }], read)).tables[0]!.status).toBe("failed");
});
