import assert from "node:assert/strict";
import { join } from "node:path";

import { toExposedName } from "../../base/mod.ts";
import { duckdbTypeOf, quoteIdentifier, quoteLiteral } from "../../duckdb/mod.ts";
import { isDeletions, type Cursor, type Row, type TableInfo } from "../../kit/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { extract, withPublished } from "./extract-cases.ts";
import { fieldOf, Workbench } from "./rows.ts";
import { namedTable, type Session } from "./session.ts";

/** Cases about deletions. */
export const deletionCases: readonly SourceCase[] = [
  {
    name: "read() yields deletions with primary keys, and an extract removes these rows",
    needs: ["read"],
    needsTables: true,
    async run(session) {
      let tried = 0;
      for (const table of await session.readTables()) tried += await checkDeletions(session, table);
      return tried > 0 ? undefined : "no table yields deletions, so nothing was tested";
    },
  },
  {
    name: "read() with a cursor reports a row that was deleted in the source",
    needs: ["read"],
    needsTables: true,
    when: (config) => config.deletion !== undefined,
    run: checkReported,
  },
];

/** Deletes a row in the source after an extract, and checks that the next incremental extract removes it. */
async function checkReported(session: Session): Promise<void> {
  const tables = (await session.readTables()).filter(({ cursor }) => cursor !== undefined);
  const { directory, stats } = await extract(session, tables, { incremental: true });
  assert.deepEqual(stats.errors, []);
  await using bench = await Workbench.open(session);
  const { table: name, key } = await session.config.deletion!();
  const table = namedTable(tables, name);
  const condition = table.primaryKey
    .map((column) => {
      const type = duckdbTypeOf(fieldOf(table, column));
      return `${quoteIdentifier(column)} = CAST(${quoteLiteral(textOf(key[column]))} AS ${type})`;
    })
    .join(" AND ");
  const published = async () => {
    let count = 0;
    await withPublished(bench, directory, async (relationOf) => {
      count = await bench.count(`(FROM ${relationOf(name)} WHERE ${condition})`);
    });
    return count;
  };
  assert.equal(await published(), 1, `the deleted row of ${name} was not published before its deletion`);
  const { stats: second } = await extract(session, [table], { directory, incremental: true });
  assert.deepEqual(second.errors, []);
  assert.equal(
    await published(),
    0,
    `a row of ${name} that was deleted in the source stays published after a read with a cursor`,
  );
}

/** Checks the deletions of a read from the first cursor, and returns their number. */
async function checkDeletions(session: Session, table: TableInfo): Promise<number> {
  await using bench = await Workbench.open(session);
  const all = await bench.readWhole(table);
  if (all === null) return 0;
  const cursor = await firstCursor(bench, table, all);
  const keys: Row[] = [];
  for await (const batch of session.read(table, cursor && { cursor })) {
    if (isDeletions(batch)) keys.push(...batch.keys);
  }
  if (keys.length === 0) return 0;
  assert.ok(
    table.primaryKey.length > 0,
    `read() of ${table.name} yields deletions, but the table has no key`,
  );
  for (const key of keys) {
    const missing = table.primaryKey.find((column) => key[column] === undefined || key[column] === null);
    assert.ok(
      missing === undefined,
      `a deleted key of ${table.name} has no value for ${missing}: ${JSON.stringify(key)}`,
    );
  }
  if (cursor !== undefined && (await bench.count(all)) > 0)
    await checkApplied(session, bench, table, { all, keys });
  return keys.length;
}

async function firstCursor(bench: Workbench, table: TableInfo, all: string): Promise<Cursor | undefined> {
  if (table.cursor === undefined) return undefined;
  const [row] = await bench.connection.rows<{ value: string | null }>(
    `SELECT CAST(min(${quoteIdentifier(table.cursor)}) AS VARCHAR) AS value FROM ${all}`,
  );
  if (row?.value == null) return undefined;
  return { column: table.cursor, value: row.value, inclusive: table.primaryKey.length > 0 };
}

/** Publishes the table with rows for the deleted keys, reads it again, and checks that they were removed. */
async function checkApplied(
  session: Session,
  bench: Workbench,
  table: TableInfo,
  { all, keys }: { readonly all: string; readonly keys: readonly Row[] },
): Promise<void> {
  const ghosts = table.primaryKey.map((column) => {
    const type = duckdbTypeOf(fieldOf(table, column));
    const name = quoteIdentifier(column);
    return (key: Row) => `CAST(${quoteLiteral(textOf(key[column]))} AS ${type}) AS ${name}`;
  });
  const cursor = quoteIdentifier(table.cursor!);
  const first = `SELECT * FROM ${all} ORDER BY ${cursor} NULLS LAST LIMIT 1`;
  const selects = keys.map(
    (key) => `SELECT * REPLACE (${ghosts.map((one) => one(key)).join(", ")}) FROM (${first})`,
  );
  // With only the first row published, the cursor is at its minimum, so the second read begins there.
  const before = `${selects.join(" UNION ALL ")} UNION ALL (${first})`;
  const connector = {
    async *read() {
      yield* (await bench.connection.stream(before)).batches;
    },
  };
  const directory = join(session.scratch, `deletions-${toExposedName(table.name)}`);
  const options = { directory, incremental: true };
  const prepared = await extract(session, [table], { ...options, connector });
  assert.deepEqual(prepared.stats.errors, []);
  const { stats } = await extract(session, [table], options);
  assert.deepEqual(stats.errors, []);
  await withPublished(bench, directory, (relationOf) =>
    bench.assertSameRows(relationOf(table.name), all, `the extract of ${table.name} after deletions`),
  );
}

function textOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}
