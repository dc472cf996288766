import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { isAgnesError } from "../base/mod.ts";
import { openCatalog, type Catalog, type CatalogSchema } from "../catalog/mod.ts";
import type { ContractCase } from "./case.ts";
import type { StorageCase, StorageContext, StorageContractConfig } from "./storage-case.ts";
import { entryOf, hostileTexts, storageCases } from "./storage-contract-store.ts";

interface Book {
  readonly isbn: string;
  readonly author: string;
  readonly year: number | null;
  readonly title?: string;
}

/**
 * Returns the contract of a catalog storage as cases for any test runner. Each case uses its own catalog.
 *
 * @example
 * ```ts
 * import { test } from "bun:test";
 * import { memoryStorage } from "agnes/catalog";
 * import { storageContract } from "agnes/testing";
 * const storage = memoryStorage();
 * for (const one of storageContract({ open: () => storage })) test(one.name, () => one.run());
 * ```
 */
export function storageContract(config: StorageContractConfig): readonly ContractCase[] {
  return [...storageCases, ...catalogCases].map(({ name, run }, at) => ({
    name,
    needs: [],
    run: () => run({ ...config, catalog: `contract_${at}_${randomUUID()}` }),
  }));
}

const schema: CatalogSchema = { rowKey: ["isbn"], indexKeys: ["author", "year"] };

const catalogCases: readonly StorageCase[] = [
  {
    name: "openCatalog() rejects a schema that differs from the locked one",
    run: async (context) => {
      await (await books(context)).close();
      await rejects("catalog_schema_differs", () =>
        openCatalog({ storage: context.open(), name: context.catalog, rowKey: "isbn", indexKeys: ["title"] }),
      );
    },
  },
  {
    name: "insert() is visible to the next process that opens the catalog",
    run: async (context) => {
      const first = await books(context);
      const inserted = await first.insert(book("1", "Woolf", 1927));
      assert.deepEqual(inserted, { version: 1, changed: true });
      assert.deepEqual((await first.query({ author: "Woolf" }))[0], {
        record: book("1", "Woolf", 1927),
        version: 1,
      });
      await first.close();
      const second = await books(context);
      assert.deepEqual((await second.get("1"))?.record, book("1", "Woolf", 1927));
      assert.equal(await second.version(), 1);
      await second.close();
    },
  },
  {
    name: "insert() replaces by row key and keeps the whole record before and after",
    run: async (context) => {
      await using catalog = await books(context);
      await catalog.insert(book("1", "Woolf", 1927));
      await catalog.insert({ ...book("1", "Woolf", 1927), title: "To the Lighthouse" }, { actor: "ann" });
      const [replaced] = await catalog.history({ first: "newest", limit: 1 });
      assert.equal(replaced?.actor, "ann");
      assert.deepEqual(replaced.changes, [
        {
          kind: "replace",
          rowKey: "1",
          before: book("1", "Woolf", 1927),
          after: { ...book("1", "Woolf", 1927), title: "To the Lighthouse" },
        },
      ]);
      // The indexed fields are unchanged; the change is applied nevertheless.
      assert.equal((await catalog.query({ author: "Woolf" }))[0]?.record.title, "To the Lighthouse");
    },
  },
  {
    name: "insert() with expectedVersion rejects a stale writer and reports the changes",
    run: async (context) => {
      await using catalog = await books(context);
      await catalog.insert(book("1", "Woolf", 1927), { expectedVersion: 0 });
      await catalog.insert(book("1", "Woolf", 1928), { expectedVersion: 1, actor: "ann" });
      const error = await rejects("catalog_conflict", () =>
        catalog.insert(book("1", "Woolf", 1929), { expectedVersion: 1 }),
      );
      assert.match(error.message, /version 2, not 1.*version 2 by ann/);
      await rejects("catalog_conflict", () => catalog.insert(book("1", "x", 1), { expectedVersion: 0 }));
      assert.equal(await catalog.version(), 2);
    },
  },
  {
    name: "insertMany() writes all records as one entry",
    run: async (context) => {
      await using catalog = await books(context);
      const many = Array.from({ length: 250 }, (_, at) => book(`b${at}`, `a${at % 3}`, at % 7));
      const commit = await catalog.insertMany(many);
      assert.equal(commit.sequence, 1);
      assert.equal(commit.changes.length, 250);
      assert.equal((await catalog.query({ author: "a1" })).length, 83);
      assert.equal((await catalog.query({ author: "a1", year: 1 })).length, 12);
      await catalog.insertMany(many.slice(0, 20).map((one) => ({ ...one, author: "moved" })));
      assert.equal((await catalog.query({ author: "moved" })).length, 20);
      assert.equal((await catalog.query({})).length, 250);
    },
  },
  {
    name: "delete() by filter deletes matching records, and the history contains it",
    run: async (context) => {
      await using catalog = await books(context);
      await catalog.insertMany([
        book("1", "Woolf", 1927),
        book("2", "Joyce", 1922),
        book("3", "Woolf", 1925),
      ]);
      await catalog.delete({ author: "Woolf" });
      assert.deepEqual(
        (await catalog.query({})).map(({ record }) => record.isbn),
        ["2"],
      );
      assert.equal(await catalog.get("3"), null);
      const history = await catalog.history({ rowKey: "3" });
      assert.deepEqual(
        history.map(({ changes }) => changes[0]?.kind),
        ["insert", "delete"],
      );
      await rejects("invalid_input", () => catalog.delete({}));
    },
  },
  {
    name: "insert() rejects a record that is too large, with its size, before anything is written",
    run: async (context) => {
      await using catalog = await books(context);
      const store = await context.open().open(context.catalog, schema);
      const title = "x".repeat(store.maxEntryBytes);
      const error = await rejects("catalog_too_large", () =>
        catalog.insert({ ...book("1", "Woolf", 1), title }),
      );
      assert.match(error.message, /takes \d{5,} bytes/);
      assert.equal(await catalog.version(), 0);
      const fits = { ...book("1", "Woolf", 1), title: "é".repeat(100_000) };
      await catalog.insert(fits);
      assert.deepEqual((await catalog.get("1"))?.record, fits);
    },
  },
  {
    name: "openCatalog() indexes entries that a crashed writer left unindexed",
    run: async (context) => {
      const store = await context.open().open(context.catalog, schema);
      await store.lockSchema(schema);
      assert.equal(await store.append(entryOf(1, [["1", null, book("1", "Woolf", 1927)]])), true);
      await using catalog = await books(context);
      assert.equal((await catalog.query({ author: "Woolf" })).length, 1);
      const moved = [["1", book("1", "Woolf", 1927), book("1", "Joyce", 1922), 1]] as const;
      assert.equal(await store.append(entryOf(2, moved)), true);
      assert.deepEqual(await catalog.recover(), { sequence: 2, replayed: 1 });
      assert.equal((await catalog.query({ author: "Woolf" })).length, 0);
      assert.equal((await catalog.query({ year: 1922 })).length, 1);
      assert.deepEqual(await catalog.recover(), { sequence: 2, replayed: 0 });
      await store.close();
    },
  },
  {
    name: "insert() by concurrent writers loses no record and leaves no gap",
    run: async (context) => {
      const catalogs = await Promise.all([books(context), books(context), books(context)]);
      await Promise.all(
        catalogs.map(async (catalog, writer) => {
          for (let at = 0; at < 15; at++) await catalog.insert(book(`w${writer}-${at}`, `a${writer}`, at));
        }),
      );
      await using reader = await books(context);
      assert.equal((await reader.query({})).length, 45);
      const sequences = (await reader.history()).map(({ sequence }) => sequence);
      assert.deepEqual(
        sequences,
        Array.from({ length: 45 }, (_, at) => at + 1),
      );
      for (const catalog of catalogs) await catalog.close();
    },
  },
  {
    name: "transact() repeats its decision after a conflict with another writer",
    run: async (context) => {
      const catalogs = await Promise.all([books(context), books(context)]);
      await catalogs[0].insert(book("count", "x", 0));
      await Promise.all(
        catalogs.flatMap((catalog) =>
          Array.from({ length: 10 }, () =>
            catalog.transact(async (view) => {
              const year = (await view.get("count"))?.record.year ?? 0;
              return [{ kind: "put", record: book("count", "x", year + 1) }];
            }),
          ),
        ),
      );
      await using reader = await books(context);
      assert.equal((await reader.get("count"))?.record.year, 20);
      for (const catalog of catalogs) await catalog.close();
    },
  },
  {
    name: "rebuildIndexes() preserves query results",
    run: async (context) => {
      await using catalog = await books(context);
      await catalog.insertMany(hostileTexts.map((text, at) => book(`k${text}`, text, at % 3)));
      await catalog.delete(`k${hostileTexts[0]!}`);
      const ask = async () => [await catalog.query({}), await catalog.query({ year: 1 })];
      const before = await ask();
      await catalog.rebuildIndexes();
      assert.deepEqual(await ask(), before);
    },
  },
];

function books(context: StorageContext): Promise<Catalog<Book>> {
  const { open, catalog: name } = context;
  return openCatalog<Book>({ storage: open(), name, rowKey: "isbn", indexKeys: ["author", "year"] });
}

function book(isbn: string, author: string, year: number): Book {
  return { isbn, author, year };
}

async function rejects(code: string, work: () => Promise<unknown>): Promise<Error> {
  let seen: unknown;
  await assert.rejects(work, (error) => {
    seen = error;
    return isAgnesError(error) && error.code === code;
  });
  return seen as Error;
}
