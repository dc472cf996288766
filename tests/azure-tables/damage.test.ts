import { beforeEach, describe, expect, test } from "bun:test";

import { openCatalog, type Catalog } from "agnes/catalog";
import type { AgnesError } from "agnes/kit";

import { entryOf } from "../../lib/testing/storage-contract-store.ts";
import { fromProperties, toProperties } from "../../plugins/azure-tables/long-text.ts";
import { azureStore } from "../../plugins/azure-tables/storage.ts";
import { memoryGateway, type MemoryTable } from "../fakes/memory-tables.ts";

interface Item {
  readonly id: string;
  readonly group: string;
  readonly n: number;
}

let table: MemoryTable;
let log: MemoryTable;
beforeEach(() => {
  table = new Map();
  log = new Map();
});

function open(): Promise<Catalog<Item>> {
  const gateways = { table: memoryGateway(table), log: memoryGateway(log) };
  return openCatalog<Item>({
    storage: {
      open: async (catalog, schema) => azureStore({ catalog, schema, ...gateways, recheckMs: 1000 }),
    },
    name: "things",
    rowKey: "id",
    indexKeys: ["group", "n"],
    retryBudgetMs: 100,
  });
}

const item = (at: number, n = 0): Item => ({ id: `i${String(at).padStart(5, "0")}`, group: `g${at % 7}`, n });
const items = (count: number, n = 0) => Array.from({ length: count }, (_, at) => item(at, n));

/** Writes five entries of one record each, with or without a moved checkpoint. */
async function fill(checkpoint: "none" | "moved"): Promise<void> {
  const catalog = await open();
  for (let at = 1; at <= 5; at++) await catalog.insert(item(at));
  await catalog.close();
  if (checkpoint === "none") log.delete("things-meta\ncheckpoint");
}

const idOf = (sequence: number) => `things-log-000000000\n${String(sequence).padStart(15, "0")}`;

function damage(from: MemoryTable, id: string): void {
  const entity = from.get(id)!;
  from.set(id, { ...entity, values: { ...entity.values, t0: entity.values["t0"]!.replace("g", "h") } });
}

async function failure(work: () => Promise<unknown>): Promise<readonly unknown[]> {
  const error = (await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )) as AgnesError<"catalog_corrupt"> | undefined;
  return [error?.code, error?.details.place];
}

describe("openCatalog() on Azure Tables", () => {
  for (const [which, sequence] of [
    ["first", 1],
    ["middle", 3],
    ["last", 5],
  ] as const) {
    test(`names the ${which} entry when it is damaged`, async () => {
      await fill("none");
      damage(log, idOf(sequence));
      const place = `entry ${sequence} (${idOf(sequence).replace("\n", " ")})`;
      expect(await failure(() => open())).toEqual(["catalog_corrupt", place]);
    });
  }

  test("names the missing entry", async () => {
    await fill("none");
    log.delete(idOf(3));
    expect((await failure(() => open()))[0]).toBe("catalog_corrupt");
    log.delete(idOf(1));
    expect((await failure(() => open()))[0]).toBe("catalog_corrupt");
  });

  test("refuses indexes that are newer than the log", async () => {
    await fill("moved");
    log.delete(idOf(5));
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "entry 5"]);
    for (let sequence = 1; sequence <= 4; sequence++) log.delete(idOf(sequence));
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "entry 5"]);
  });

  test("refuses a log without its last entry and its checkpoint, based on the index table", async () => {
    await fill("none");
    log.delete(idOf(5));
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "entry 5"]);
    // Killed before the sequence number was stored: the rows are newer than the log.
    table.delete("things-meta\napplied");
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "entry 5"]);
    expect(log.has(idOf(5))).toBe(false);
  });

  test("refuses a log that is lost completely while there are rows, and writes nothing", async () => {
    for (const kept of ["rows and their sequence number", "rows", "rows of an index"]) {
      table.clear();
      log.clear();
      await fill("moved");
      log.clear();
      if (kept !== "rows and their sequence number") table.delete("things-meta\napplied");
      if (kept === "rows of an index")
        for (const id of table.keys()) if (id.startsWith("things-row")) table.delete(id);
      expect(await failure(() => open())).toEqual(["catalog_corrupt", "its log"]);
      expect(log.size).toBe(0);
    }
  });

  test("replays the log when the rows are lost or older than the log", async () => {
    await fill("moved");
    const old = new Map(table);
    const catalog = await open();
    await catalog.insert(item(6));
    await catalog.close();
    for (const restored of [new Map(), old]) {
      table.clear();
      for (const [id, entity] of restored) table.set(id, entity);
      const reader = await open();
      expect((await reader.query({})).map(({ record }) => record.id)).toHaveLength(6);
      expect(await reader.query({ group: "g6" })).toHaveLength(1);
      await reader.close();
    }
  });

  test("refuses rows that are newer than the log, also when the log is truncated after the open", async () => {
    await fill("moved");
    const [reader, writer] = [await open(), await open()];
    await writer.insert(item(6));
    await writer.close();
    log.delete(idOf(6));
    expect(await failure(() => reader.get("i00006"))).toEqual(["catalog_corrupt", "entry 6"]);
    expect(await failure(() => reader.insert(item(7)))).toEqual(["catalog_corrupt", "entry 6"]);
    expect(log.has(idOf(6))).toBe(false);
  });

  test("names an entry that is lost while the catalog is open", async () => {
    await fill("moved");
    const catalog = await open();
    log.delete(idOf(5));
    for (const ask of [
      () => catalog.history(),
      () => catalog.rebuildIndexes(),
      async () => {
        for await (const entry of catalog.entries()) void entry;
      },
    ]) {
      expect(await failure(ask)).toEqual(["catalog_corrupt", "entry 5"]);
    }
  });

  test("refuses a damaged schema, a damaged checkpoint and a lost schema", async () => {
    await fill("moved");
    const [schema, checkpoint] = ["things-meta\nschema", "things-meta\ncheckpoint"];
    log.set(checkpoint, { ...log.get(checkpoint)!, values: { sequence: "five" } });
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "its checkpoint"]);
    damage(log, schema);
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "its schema"]);
    log.delete(schema);
    expect(await failure(() => open())).toEqual(["catalog_corrupt", "its schema"]);
  });
});

test("get(), query() and writes name a damaged row, alone or among many, and rebuildIndexes() repairs it", async () => {
  await fill("moved");
  const id = "things-row\ni00003";
  damage(table, id);
  const place = `the row ${id.replace("\n", " ")}`;
  const catalog = await open();
  expect(await failure(() => catalog.get("i00003"))).toEqual(["catalog_corrupt", place]);
  expect(await failure(() => catalog.query({}))).toEqual(["catalog_corrupt", place]);
  expect(await failure(() => catalog.insert(item(3, 1)))).toEqual(["catalog_corrupt", place]);
  expect(await failure(() => catalog.insertMany(items(10, 1)))).toEqual(["catalog_corrupt", place]);
  expect(await catalog.version()).toBe(5);
  await catalog.rebuildIndexes();
  expect(await catalog.query({})).toHaveLength(5);
  await catalog.close();
});

test("rebuild() keeps rows that another writer adds in the meantime", async () => {
  const schema = { rowKey: ["id"], indexKeys: ["group"] };
  const gateways = { table: memoryGateway(table), log: memoryGateway(log) };
  const store = azureStore({ catalog: "things", schema, ...gateways, recheckMs: 0 });
  const [before, after] = [
    { id: "a", group: "x" },
    { id: "a", group: "y" },
  ];
  const entries = [entryOf(1, [["a", null, before]]), entryOf(2, [["a", before, after, 1]])];
  await store.apply(entries);
  async function* oldLog() {
    yield entries.slice(0, 1);
  }
  await store.rebuild(oldLog());
  expect(await store.find({ where: [{ field: "group", value: "x" }], range: {} })).toEqual([]);
  expect((await store.get(["a"])).get("a")).toEqual({ key: "a", version: 2, record: after });
  await store.close();
});

test("toProperties() keeps any text, and fromProperties() detects truncation", () => {
  for (const text of ["", "a", `${"x".repeat(31_983)}😀${"é".repeat(70_000)}`]) {
    const properties = toProperties(text);
    expect(fromProperties(properties)).toBe(text);
    expect(Object.values(properties).every((part) => !/[\ud800-\udbff]$|^[\udc00-\udfff]/.test(part))).toBe(
      true,
    );
  }
  const { t0, ...rest } = toProperties("y".repeat(70_000));
  expect([fromProperties({ t0: t0! }), fromProperties(rest), fromProperties({})]).toEqual([null, null, null]);
});
