import assert from "node:assert/strict";

import type {
  CatalogSchema,
  CatalogStore,
  IndexedRow,
  IndexValue,
  JsonRecord,
  KeyRange,
  LogEntry,
} from "../catalog/mod.ts";
import type { StorageCase, StorageContext } from "./storage-case.ts";

type ChangeTuple = readonly [key: string, before: object | null, after: object | null, previous?: number];

const schema: CatalogSchema = { rowKey: ["id"], indexKeys: ["colour", "size"] };

/** Texts that a careless storage confuses or cannot store. */
export const hostileTexts: readonly string[] = [
  "a",
  "A",
  "a!",
  "a!!",
  "a-",
  "ab",
  "a b",
  "a/b",
  "a\\b",
  "a#b",
  "a?b",
  "a'b",
  'a"b',
  "a|b",
  "a%2Fb",
  "a:b",
  "",
  " ",
  "\0",
  "a\0",
  "a\0b",
  "\n",
  "\t",
  "é",
  "e\u0301",
  "ß",
  "SS",
  "İ",
  "i",
  "日本",
  "\u202eabc",
  "😀",
  "\ud83d",
  "\uffff",
  "~",
  "_",
  "=",
  "../x",
  "null",
  "true",
  "1",
  "01",
  "1e3",
  "x".repeat(600),
  `${"x".repeat(600)}y`,
  `${"é".repeat(300)}`,
  `${"é".repeat(300)}z`,
  "PartitionKey eq 'x' or true",
];

/** Cases about the log and the indexes of a store, each separately. */
export const storageCases: readonly StorageCase[] = [
  {
    name: "append() only writes an entry at a free sequence number",
    run: async (context) => {
      const [one, two] = [await opened(context), await opened(context)];
      const entry = entryOf(1, [["a", null, row("a")]]);
      assert.equal(await one.append(entry), true);
      assert.equal(await one.append(entryOf(1, [["b", null, row("b")]])), false);
      assert.equal(await two.append(entryOf(1, [["c", null, row("c")]])), false);
      assert.deepEqual(await two.read(1, 10), [entry]);
      await closed(one, two);
    },
  },
  {
    name: "append() accepts exactly one of many concurrent writers",
    run: async (context) => {
      const stores = await Promise.all(Array.from({ length: 6 }, () => opened(context)));
      for (let sequence = 1; sequence <= 5; sequence++) {
        const entries = stores.map((_, at) => entryOf(sequence, [[`${at}`, null, row(`${at}`)]]));
        const won = await Promise.all(stores.map((store, at) => store.append(entries[at]!)));
        assert.equal(won.filter(Boolean).length, 1);
        assert.deepEqual(await stores[0]!.read(sequence, 1), [entries[won.indexOf(true)]!]);
      }
      await closed(...stores);
    },
  },
  {
    name: "read() returns entries in order, from any sequence number, up to the limit",
    run: async (context) => {
      const store = await opened(context);
      assert.deepEqual(await store.read(1, 10), []);
      for (let sequence = 1; sequence <= 30; sequence++) {
        await store.append(entryOf(sequence, [[`${sequence}`, null, row(`${sequence}`)]]));
      }
      const sequences = async (from: number, limit: number) =>
        (await store.read(from, limit)).map(({ sequence }) => sequence);
      assert.deepEqual(await sequences(1, 3), [1, 2, 3]);
      assert.deepEqual(await sequences(28, 100), [28, 29, 30]);
      assert.deepEqual(await sequences(31, 100), []);
      assert.equal((await sequences(1, 1000)).length, 30);
      await closed(store);
    },
  },
  {
    name: "lockSchema() keeps the first schema",
    run: async (context) => {
      const store = await opened(context);
      const other = { rowKey: ["id"], indexKeys: ["other"] };
      const second = await context.open().open(context.catalog, other);
      assert.deepEqual(await second.lockSchema(other), schema);
      await closed(store, second);
    },
  },
  {
    name: "advance() never moves the checkpoint back",
    run: async (context) => {
      const store = await opened(context);
      const entries = [1, 2, 3].map((at) => entryOf(at, [[`${at}`, null, row(`${at}`)]]));
      for (const entry of entries) await store.append(entry);
      await store.apply(entries);
      await store.advance(3);
      const before = await store.checkpoint();
      await store.advance(1);
      assert.equal(await store.checkpoint(), before);
      assert.ok(before <= 3);
      await closed(store);
    },
  },
  {
    name: "apply() is idempotent, also when it is late",
    run: async (context) => {
      const store = await opened(context);
      const entries = [
        entryOf(1, [
          ["a", null, row("a", "red")],
          ["b", null, row("b", "red")],
        ]),
        entryOf(2, [["a", row("a", "red"), row("a", "blue"), 1]]),
        entryOf(3, [["b", row("b", "red"), null, 1]]),
      ];
      await store.apply(entries);
      const look = async () => [
        await store.find({ where: [{ field: "colour", value: "red" }], range: {} }),
        await store.find({ where: [{ field: "colour", value: "blue" }], range: {} }),
        await store.find({ where: [], range: {} }),
        await store.get(["a", "b", "c"]),
      ];
      const before = await look();
      assert.deepEqual(before[0], []);
      assert.deepEqual(before[1], [{ key: "a", version: 2, record: row("a", "blue") }]);
      assert.deepEqual(before[2], before[1]);
      const [, , , rows] = before as [unknown, unknown, unknown, ReadonlyMap<string, IndexedRow>];
      assert.deepEqual([rows.get("b")?.version, rows.get("b")?.record, rows.has("c")], [3, null, false]);
      await store.apply(entries);
      await store.apply(entries.slice(0, 1));
      await store.apply(entries.slice(0, 2));
      assert.deepEqual(await look(), before);
      await closed(store);
    },
  },
  {
    name: "find() ANDs its conditions, respects the range and the limit, and orders by key",
    run: async (context) => {
      const store = await opened(context);
      const keys = Array.from({ length: 40 }, (_, at) => `k${String(at).padStart(2, "0")}`);
      const changes = keys.map((key, at): ChangeTuple => [
        key,
        null,
        row(key, at % 2 ? "red" : "blue", at % 5),
      ]);
      await store.apply([entryOf(1, [...changes].reverse())]);
      const find = async (
        where: Readonly<Record<string, IndexValue>>,
        range: KeyRange = {},
        limit?: number,
      ) => {
        const conditions = Object.entries(where).map(([field, value]) => ({ field, value }));
        const found = await store.find({
          where: conditions,
          range,
          ...(limit === undefined ? {} : { limit }),
        });
        return found.map(({ key }) => key);
      };
      assert.deepEqual(await find({}), keys);
      assert.deepEqual(await find({ colour: "red", size: 1 }), ["k01", "k11", "k21", "k31"]);
      assert.deepEqual(await find({ colour: "red", size: 1 }, { from: "k11", before: "k31" }), [
        "k11",
        "k21",
      ]);
      assert.deepEqual(await find({ colour: "blue" }, { from: "k10" }, 2), ["k10", "k12"]);
      assert.deepEqual(await find({}, { before: "k02" }), ["k00", "k01"]);
      assert.deepEqual(await find({ colour: "green" }), []);
      await closed(store);
    },
  },
  {
    name: "find() and get() distinguish all strings",
    run: async (context) => {
      const store = await opened(context);
      const changes = hostileTexts.map((text, at): ChangeTuple => [text, null, row(text, text, at)]);
      for (let at = 0; at < changes.length; at += 10) {
        await store.apply([entryOf(1 + at / 10, changes.slice(at, at + 10))]);
      }
      for (const text of hostileTexts) {
        const found = await store.find({ where: [{ field: "colour", value: text }], range: {} });
        assert.deepEqual(
          found.map(({ key }) => key),
          [text],
        );
        assert.deepEqual((await store.get([text])).get(text)?.record, found[0]!.record);
      }
      const sorted = [...hostileTexts].sort();
      const all = await store.find({ where: [], range: {} });
      assert.deepEqual(
        all.map(({ key }) => key),
        sorted,
      );
      assert.equal((await store.get(hostileTexts)).size, hostileTexts.length);
      for (const from of hostileTexts) {
        const tail = await store.find({ where: [], range: { from } });
        assert.deepEqual(
          tail.map(({ key }) => key),
          sorted.filter((key) => key >= from),
        );
        const head = await store.find({ where: [], range: { before: from } });
        assert.deepEqual(
          head.map(({ key }) => key),
          sorted.filter((key) => key < from),
        );
      }
      await closed(store);
    },
  },
  {
    name: "find() distinguishes values of different types",
    run: async (context) => {
      const store = await opened(context);
      const values: readonly IndexValue[] = [1, "1", true, "true", false, null, "null", 0, -1, 1.5, "", 1e21];
      const changes = values.map((value, at): ChangeTuple => [`${at}`, null, row(`${at}`, "red", value)]);
      await store.apply([entryOf(1, changes)]);
      for (const [at, value] of values.entries()) {
        const found = await store.find({ where: [{ field: "size", value }], range: {} });
        assert.deepEqual(
          found.map(({ key }) => key),
          [`${at}`],
        );
      }
      await closed(store);
    },
  },
];

/** Creates a log entry with changes. */
export function entryOf(sequence: number, changes: readonly ChangeTuple[]): LogEntry {
  return {
    sequence,
    id: `entry-${sequence}-${changes.map(([key]) => key.length).join("-")}-${changes[0]?.[0] ?? ""}`,
    at: "2026-01-02T03:04:05.678Z",
    actor: "the contract",
    changes: changes.map(([key, before, after, previous = 0]) => ({
      key,
      before: before as JsonRecord | null,
      after: after as JsonRecord | null,
      previous,
    })),
  };
}

function row(id: string, colour = "red", size: IndexValue = 1): JsonRecord {
  return { id, colour, size };
}

async function opened(context: StorageContext): Promise<CatalogStore> {
  const store = await context.open().open(context.catalog, schema);
  await store.lockSchema(schema);
  return store;
}

async function closed(...stores: readonly CatalogStore[]): Promise<void> {
  for (const store of stores) await store.close();
}
