import { expect, test } from "bun:test";

import { Directory } from "../../plugins/azure-tables/directory.ts";
import { encodeKey } from "../../plugins/azure-tables/key-text.ts";
import { RowWriter, toRow, toValues, type WantedRow } from "../../plugins/azure-tables/row-writer.ts";
import { memoryGateway, type MemoryTable } from "../fakes/memory-tables.ts";

const where = { partitionKey: "p", rowKey: "r" };

function row(version: number, isNew = false): WantedRow {
  const said = { key: "k", version, record: { id: "k", version } };
  return { ...where, ...said, values: toValues(said), isNew };
}

function stored(table: MemoryTable): number | undefined {
  const entity = [...table.values()][0];
  return entity === undefined ? undefined : toRow(entity)?.version;
}

test("RowWriter writes the newer row when it came while the older was on its way", async () => {
  const table: MemoryTable = new Map();
  const pause = { before: () => Bun.sleep(10), after: async () => {} };
  const writer = new RowWriter(memoryGateway(table, pause));
  await writer.add([row(1, true)]);
  const drained = writer.drain();
  await Bun.sleep(2);
  await writer.add([row(2)]);
  await drained;
  expect(stored(table)).toBe(2);
});

test("RowWriter never brings an older row back", async () => {
  const table: MemoryTable = new Map();
  const [fresh, stale] = [new RowWriter(memoryGateway(table)), new RowWriter(memoryGateway(table))];
  await fresh.add([row(7)]);
  await fresh.drain();
  await stale.add([row(5, true)]);
  await stale.drain();
  expect(stored(table)).toBe(7);
});

test("Directory tells what is new once it was asked in vain often enough, and learns what is added", async () => {
  const table: MemoryTable = new Map();
  const gateway = memoryGateway(table);
  await gateway.create({ ...where, values: {} });
  const directory = new Directory(gateway, "p");
  directory.add("added before");
  expect(directory.lacks("new")).toBe(false);
  for (let at = 0; at < 16; at++) await directory.missed(async () => {});
  directory.add("added after");
  expect(["r", "new", "added before", "added after"].map((key) => directory.lacks(key))).toEqual([
    false,
    true,
    false,
    false,
  ]);
});

test("encodeKey() keeps texts readable, apart and in order", () => {
  expect(encodeKey("Orders2024", 300)).toBe("Orders2024");
  expect(encodeKey("a/b#c?d\\e", 300)).toBe("a!2fb!23c=3fd_5ce");
  const long = ["x".repeat(400), `${"x".repeat(400)}y`].map((text) => encodeKey(text, 300));
  expect(long.map(({ length }) => length)).toEqual([300, 300]);
  expect(long[0]).not.toBe(long[1]);
});
