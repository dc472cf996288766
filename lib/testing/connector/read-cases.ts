import assert from "node:assert/strict";

import { counted } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral } from "../../duckdb/mod.ts";
import {
  isDeletions,
  isFileChunk,
  isRows,
  type Batch,
  type Deletions,
  type TableInfo,
} from "../../kit/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { chooseFilters } from "./filters.ts";
import { namesOf, Workbench } from "./rows.ts";
import { able, beforeDeadline, type Session } from "./session.ts";

/** Cases about reading. */
export const readCases: readonly SourceCase[] = [
  {
    name: "read() yields batches of the declared schema",
    needs: ["read"],
    needsTables: true,
    run: (session) => forEachTable(session, (table) => checkBatches(session, table)),
  },
  {
    name: "read() yields each primary key once",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      let tried = 0;
      await forEachTable(session, async (table) => {
        if (table.primaryKey.length === 0) return;
        tried += 1;
        await checkKeys(session, table);
      });
      return tried > 0 ? undefined : "no table has a primary key, so nothing was tested";
    },
  },
  {
    name: "read() yields the same rows again, also in concurrent reads",
    needs: ["read"],
    needsTables: true,
    run: (session) =>
      compare(session, async (bench, table, all) => {
        const [one, other] = await Promise.all([bench.read(table), bench.read(table)]);
        await bench.assertSameRows(one, all, `the second read of ${table.name}`);
        await bench.assertSameRows(other, all, `the third read of ${table.name}`);
      }),
  },
  {
    name: "read() with columns yields the same rows",
    needs: ["read"],
    needsTables: true,
    run: (session) =>
      compare(session, async (bench, table, all) => {
        for (const columns of choices(namesOf(table))) {
          const some = await bench.read(table, { columns });
          const expected = `(SELECT ${columns.map(quoteIdentifier).join(", ")} FROM ${all})`;
          await bench.assertSameRows(some, expected, `reading ${columns.join(", ")} of ${table.name}`);
        }
      }),
  },
  {
    name: "read() with a filter yields all rows that match it",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      let tried = 0;
      await compare(session, async (bench, table, all) => {
        for (const { filter, sql } of await chooseFilters(bench, table, all)) {
          tried += 1;
          const some = await bench.read(table, { filter });
          // The runtime filters again, so extra rows are allowed and missing rows are lost.
          const left = `(SELECT * FROM ${some} WHERE ${sql})`;
          await bench.assertSameRows(
            left,
            `(SELECT * FROM ${all} WHERE ${sql})`,
            `${table.name} where ${sql}`,
          );
        }
      });
      return tried > 0 ? undefined : "no table has a value to filter by, so nothing was tested";
    },
  },
  {
    name: "read() with a cursor yields exactly the requested rows",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      let points = 0;
      await compare(session, async (bench, table, all) => {
        points += await checkCursor(bench, table, all);
      });
      return points > 0 ? undefined : "no table with rows has a cursor, so nothing was tested";
    },
  },
  {
    name: "read() stops within a second when it is aborted",
    needs: ["read"],
    needsTables: true,
    run: (session) => forEachTable(session, (table) => checkAbort(session, table)),
  },
];

/** Runs a check for every table that can be read. */
async function forEachTable(session: Session, check: (table: TableInfo) => Promise<void>): Promise<void> {
  for (const table of await session.readTables()) await check(table);
}

async function compare(
  session: Session,
  check: (bench: Workbench, table: TableInfo, all: string) => Promise<void>,
): Promise<void> {
  await forEachTable(session, async (table) => {
    await using bench = await Workbench.open(session);
    const all = await bench.readWhole(table);
    if (all !== null) await check(bench, table, all);
  });
}

async function checkBatches(session: Session, table: TableInfo): Promise<void> {
  const declared = new Map(table.schema.fields.map((field) => [String(field.name), field]));
  const columnsOf = async (batch: Batch): Promise<ReadonlyMap<string, string> | null> => {
    // Row objects are checked value by value when they are loaded.
    if (isRows(batch)) return null;
    if (!isFileChunk(batch))
      return new Map(batch.schema.fields.map((field) => [String(field.name), String(field.type)]));
    if (typeof batch.data !== "string") return null;
    const { fields } = await session.engine.describe(batch, { signal: session.signal });
    // The runtime casts values from files, so only the names are checked.
    return new Map(fields.map(({ name }) => [String(name), String(declared.get(String(name))?.type)]));
  };
  const check = async (batch: Batch) => {
    const columns = await columnsOf(batch);
    if (columns === null) return;
    for (const [name, type] of columns) {
      const field = declared.get(name);
      assert.ok(
        field !== undefined,
        `a batch of ${table.name} has the column ${name}, which discover() does not declare`,
      );
      assert.equal(
        type,
        String(field.type),
        `column ${name} of a batch of ${table.name} has a different type than declared`,
      );
    }
    const missing = [...declared.values()].find(
      (field) => !field.nullable && !columns.has(String(field.name)),
    );
    assert.ok(
      missing === undefined,
      `a batch of ${table.name} lacks the column ${String(missing?.name)}, which is not nullable`,
    );
  };
  const checked = async function* (): AsyncGenerator<Batch | Deletions, void, void> {
    for await (const batch of session.read(table)) {
      if (!isDeletions(batch)) await check(batch);
      yield batch;
    }
  };
  await using bench = await Workbench.open(session);
  await bench.load(table, checked(), namesOf(table), session.config.maxRows);
  const undeclared = [...bench.undeclared].map(([name, count]) => `${name} (${counted(count, "time")})`);
  assert.ok(
    undeclared.length === 0,
    `read() of ${table.name} yields keys that are not columns: ${undeclared.join(", ")}; ` +
      "declare them, or yield only the columns",
  );
}

async function checkKeys(session: Session, table: TableInfo): Promise<void> {
  await using bench = await Workbench.open(session);
  const all = await bench.load(table, session.read(table), namesOf(table), session.config.maxRows);
  const key = table.primaryKey.map(quoteIdentifier);
  const keyColumns = table.primaryKey.join(", ");
  const [row] = await bench.connection.rows<{ agnes_key: string; agnes_count: bigint }>(
    `SELECT CAST(row(${key.join(", ")}) AS VARCHAR) AS agnes_key, count(*) AS agnes_count
     FROM ${all} GROUP BY ${key.join(", ")} HAVING count(*) > 1 LIMIT 1`,
  );
  assert.ok(
    row === undefined,
    `read() of ${table.name} yields ${counted(Number(row?.agnes_count), "row")} with the primary key ${keyColumns} = ${row?.agnes_key}`,
  );
  const empty = await bench.count(
    `(SELECT 1 FROM ${all} WHERE ${key.map((column) => `${column} IS NULL`).join(" OR ")})`,
  );
  assert.equal(
    empty,
    0,
    `read() of ${table.name} yields ${counted(Number(empty), "row")} without a value in the key ${keyColumns}`,
  );
}

/** Reads from some values of the cursor, and returns their number. */
async function checkCursor(bench: Workbench, table: TableInfo, all: string): Promise<number> {
  if (table.cursor === undefined) return 0;
  const column = quoteIdentifier(table.cursor);
  const points = await bench.connection.rows<{ value: string }>(
    `SELECT DISTINCT CAST(unnest([min(${column}), quantile_disc(${column}, 0.5), max(${column})]) AS VARCHAR) AS value ` +
      `FROM ${all} WHERE ${column} IS NOT NULL HAVING count(*) > 0`,
  );
  // The registry may define a key for a table without one, so both rules are possible.
  const rules = table.primaryKey.length > 0 ? [true] : [false, true];
  for (const { value } of points) {
    for (const inclusive of rules) {
      const cursor = { column: table.cursor, value, inclusive };
      const found = await bench.read(table, { cursor, isDelta: true });
      const literal = quoteLiteral(value);
      const condition = inclusive ? `${column} >= ${literal} OR ${column} IS NULL` : `${column} > ${literal}`;
      const expected = `(SELECT * FROM ${all} WHERE ${condition})`;
      const relation = inclusive ? "from" : "after";
      await bench.assertSameRows(
        found,
        expected,
        `reading ${table.name} with ${table.cursor} ${relation} ${value}${inclusive ? " on, or null" : ""}`,
      );
    }
  }
  return points.length;
}

async function checkAbort(session: Session, table: TableInfo): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  // Small batches, so that the read does not end before the abort.
  const rows = able(session, "read").read(table, { batchRows: 16, signal })[Symbol.asyncIterator]();
  await rows.next();
  controller.abort();
  const startedMs = performance.now();
  const drain = async () => {
    while (performance.now() - startedMs < 1000) {
      if ((await rows.next()).done === true) return;
    }
    assert.fail(`read() of ${table.name} continues for more than a second after the abort`);
  };
  const drained = drain().catch((error: unknown) => {
    if (error instanceof assert.AssertionError) throw error;
  });
  await beforeDeadline(
    1000,
    drained,
    `read() of ${table.name} does not stop within a second after the abort`,
  );
}

/** The first column, the last, and the first two in reverse order. */
function choices(names: readonly string[]): readonly (readonly string[])[] {
  const [first, second] = names;
  const selections = [[first!], [names.at(-1)!], ...(second === undefined ? [] : [[second, first!]])];
  return [...new Map(selections.map((columns) => [columns.join("\0"), columns])).values()];
}
