import { expect, test } from "bun:test";

import { Directory } from "../../plugins/azure-tables/directory.ts";
import { encodeKey } from "../../plugins/azure-tables/key-text.ts";
import type { WantedRow } from "../../plugins/azure-tables/row-queue.ts";
import { RowWriter, toRow, toValues } from "../../plugins/azure-tables/row-writer.ts";
import { memoryGateway, type MemoryTable, type TableFaults } from "../fakes/memory-tables.ts";

const where = { partitionKey: "p", rowKey: "r" };

function contentOf(version: number): Pick<WantedRow, "key" | "version" | "record" | "values"> {
  const content = { key: "k", version, record: { id: "k", version } };
  return { ...content, values: toValues(content) };
}

function row(version: number, isNew = false): WantedRow {
  return { ...where, ...contentOf(version), isNew };
}

function counting(calls: string[]): TableFaults {
  return { before: async (operation) => void calls.push(operation), after: async () => {} };
}

function stored(table: MemoryTable): number | undefined {
  const entity = [...table.values()][0];
  return entity === undefined ? undefined : toRow(entity)?.version;
}

test("RowWriter writes a newer row that is added while the older one is being written", async () => {
  const table: MemoryTable = new Map();
  const pause = { before: () => Bun.sleep(10), after: async () => {} };
  const writer = new RowWriter(memoryGateway(table, pause));
  await writer.add([row(1, true)]);
  const drained = writer.drain();
  await Bun.sleep(2);
  await writer.add([row(2)]);
  await drained;
  expect(stored(table)).toBe(1);
  await writer.drain();
  expect(stored(table)).toBe(2);
});

test("RowWriter.drain() waits for the newer row, although the older one is written first", async () => {
  const table: MemoryTable = new Map();
  const pause = { before: () => Bun.sleep(5), after: async () => {} };
  const writer = new RowWriter(memoryGateway(table, pause));
  await writer.add([row(1, true)]);
  const first = writer.drain();
  await writer.add([row(2)]);
  await writer.drain();
  expect(stored(table)).toBe(2);
  await first;
});

test("RowWriter writes rows one by one, and skips newer ones, when transactions conflict", async () => {
  const table: MemoryTable = new Map();
  const first = new RowWriter(memoryGateway(table));
  await first.add(many(10).map((each) => ({ ...each, ...contentOf(each.rowKey === "r3" ? 9 : 1) })));
  await first.drain();
  const refusing = { ...memoryGateway(table), changeAll: async () => false };
  const second = new RowWriter(refusing);
  await second.add(many(12, false).map((each) => ({ ...each, ...contentOf(2) })));
  await second.drain();
  const versions = many(12).map(({ rowKey }) => toRow(table.get(`p\n${rowKey}`)!)!.version);
  expect(versions).toEqual([2, 2, 2, 9, 2, 2, 2, 2, 2, 2, 2, 2]);
});

test("RowWriter replaces a pending row with a newer one", async () => {
  const calls: string[] = [];
  const table: MemoryTable = new Map();
  const writer = new RowWriter(memoryGateway(table, counting(calls)));
  await writer.add([row(1, true)]);
  await writer.add([row(2)]);
  await writer.drain();
  expect([stored(table), calls]).toEqual([2, ["create"]]);
});

test("RowWriter.drain() resolves while others keep adding, to the same row and to all partitions", async () => {
  const table: MemoryTable = new Map();
  const slow = { before: () => Bun.sleep(1), after: async () => {} };
  const writer = new RowWriter(memoryGateway(table, slow));
  let version = 1;
  let isOver = false;
  const adding = (async () => {
    while (!isOver) {
      version += 1;
      const full = Array.from({ length: 200 }, (_, at) => ({
        ...row(version, true),
        rowKey: `${version}-${at}`,
      }));
      await writer.add([
        row(version),
        ...["q", "s", "t", "u"].flatMap((partitionKey) => full.map((each) => ({ ...each, partitionKey }))),
      ]);
      await Bun.sleep(0);
    }
  })();
  await Bun.sleep(20);
  await writer.add([{ ...row(1, true), partitionKey: "small" }]);
  const atLeast = version;
  await writer.drain();
  isOver = true;
  expect(table.has("small\nr")).toBe(true);
  expect(toRow(table.get("p\nr")!)!.version).toBeGreaterThanOrEqual(atLeast);
  await adding;
  await writer.drain();
  expect(toRow(table.get("p\nr")!)!.version).toBe(version);
});

test("RowWriter replaces many rows in transactions, after one range scan", async () => {
  const calls: string[] = [];
  const table: MemoryTable = new Map();
  const first = new RowWriter(memoryGateway(table));
  await first.add(many(300));
  await first.drain();
  const second = new RowWriter(memoryGateway(table, counting(calls)));
  // One of them already has a newer version, and one is missing.
  await first.add([{ ...row(9), rowKey: "r7" }]);
  await first.drain();
  table.delete("p\nr8");
  await second.add(many(300, false).map((each) => ({ ...each, ...contentOf(2) })));
  await second.drain();
  expect(calls.filter((call) => call === "query")).toHaveLength(3);
  expect(calls.filter((call) => call === "changeAll")).toHaveLength(3);
  expect(calls).toHaveLength(6);
  const versions = many(300).map(({ rowKey }) => toRow(table.get(`p\n${rowKey}`)!)!.version);
  expect(versions).toEqual(Array.from({ length: 300 }, (_, at) => (at === 7 ? 9 : 2)));
});

test("RowWriter keeps the greatest version of each row under concurrent writes", async () => {
  const table: MemoryTable = new Map();
  const slow = { before: () => Bun.sleep(Math.random()), after: async () => {} };
  const writers = Array.from({ length: 4 }, () => new RowWriter(memoryGateway(table, slow)));
  const versions = [3, 1, 4, 2];
  await Promise.all(
    writers.map(async (writer, at) => {
      await writer.add(many(120, at % 2 === 0).map((each) => ({ ...each, ...contentOf(versions[at]!) })));
      await writer.drain();
    }),
  );
  expect([...table.values()].map((entity) => toRow(entity)!.version)).toEqual(
    Array.from({ length: 120 }, () => 4),
  );
});

test("RowWriter never restores an older row", async () => {
  const table: MemoryTable = new Map();
  const [fresh, stale] = [new RowWriter(memoryGateway(table)), new RowWriter(memoryGateway(table))];
  await fresh.add([row(7)]);
  await fresh.drain();
  await stale.add([row(5, true)]);
  await stale.drain();
  expect(stored(table)).toBe(7);
});

function many(count: number, isNew = true): WantedRow[] {
  return Array.from({ length: count }, (_, at) => ({ ...row(1, isNew), rowKey: `r${at}` }));
}

test("RowWriter creates rows in the minimum number of transactions, each of one partition", async () => {
  const calls: string[] = [];
  const table: MemoryTable = new Map();
  const writer = new RowWriter(memoryGateway(table, counting(calls)));
  await writer.add([...many(250), ...many(30).map((each) => ({ ...each, partitionKey: "q" }))]);
  await writer.drain();
  expect([calls, table.size]).toEqual([Array.from({ length: 4 }, () => "changeAll"), 280]);
});

test("RowWriter makes add() wait at the limit of pending rows until half of them are written", async () => {
  const table: MemoryTable = new Map();
  const slow = { before: () => Bun.sleep(1), after: async () => {} };
  const writer = new RowWriter(memoryGateway(table, slow));
  await writer.add(many(6000));
  expect(table.size).toBeGreaterThanOrEqual(3500);
  expect(table.size).toBeLessThan(6000);
  await writer.drain();
  expect(table.size).toBe(6000);
});

test("RowWriter reports an error to each caller that waits, and writes the rows on the next attempt", async () => {
  let isDown = true;
  const down = {
    before: async () => {
      if (isDown) throw new Error("the service is down");
    },
    after: async () => {},
  };
  const table: MemoryTable = new Map();
  const writer = new RowWriter(memoryGateway(table, down));
  await writer.add([...many(150), { ...row(1), partitionKey: "q" }]);
  await writer.add([{ ...row(2), partitionKey: "q" }]);
  const ends = await Promise.allSettled([writer.drain(), writer.drain()]);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await Bun.sleep(1);
  isDown = false;
  await writer.drain();
  expect(table.size).toBe(151);
  expect(toRow(table.get("q\nr")!)!.version).toBe(2);
});

test("Directory knows which records are new after enough failed lookups, and tracks added ones", async () => {
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

test("encodeKey() keeps texts readable, distinct and in order", () => {
  expect(encodeKey("Orders2024", 300)).toBe("Orders2024");
  expect(encodeKey("a/b#c?d\\e", 300)).toBe("a!2fb!23c=3fd_5ce");
  const long = ["x".repeat(400), `${"x".repeat(400)}y`].map((text) => encodeKey(text, 300));
  expect(long.map(({ length }) => length)).toEqual([300, 300]);
  expect(long[0]).not.toBe(long[1]);
});
