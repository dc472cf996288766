import assert from "node:assert/strict";

import * as v from "valibot";

import { counted } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import type { ContractConfig, SourceQuerySample } from "./config.ts";
import { chooseFilters, type ChosenFilter } from "./filters.ts";
import { Workbench } from "./rows.ts";
import { namedTable, type Session } from "./session.ts";
import type { SourceCase } from "./source-case.ts";

/** Conditions of a table that are read with a limit; each costs a read. */
const CONDITIONS_MAX = 3;

/** Cases about plugins with JSON queries. */
export const sourceQueryCases: readonly SourceCase[] = [
  {
    name: "read() with a filter and a limit yields as many rows that match it",
    needs: ["read"],
    needsTables: true,
    when: (_config, { sourceQuery }) => sourceQuery !== undefined,
    async run(session) {
      let tried = 0;
      for (const table of await session.readTables()) {
        await using bench = await Workbench.open(session);
        const all = await bench.readWhole(table);
        if (all !== null) tried += await checkLimits(bench, table, all);
      }
      return tried > 0 ? undefined : "no condition matches only later rows, so nothing was tested";
    },
  },
  {
    name: "read() with a JSON query yields the same rows again, also with a filter",
    needs: ["read"],
    needsTables: true,
    when: (config, { sourceQuery }) => sourceQuery !== undefined && samplesOf(config).length > 0,
    async run(session) {
      const tables = await session.readTables();
      for (const sample of samplesOf(session.config))
        await checkQuery(session, namedTable(tables, sample.table), sample);
    },
  },
];

/** Reads as many rows as match a condition, and returns the number of conditions. */
async function checkLimits(bench: Workbench, table: TableInfo, all: string): Promise<number> {
  let tried = 0;
  for (const { filter, sql } of await chooseFilters(bench, table, all)) {
    if (tried === CONDITIONS_MAX) break;
    const limit = await bench.count(`${all} WHERE ${sql}`);
    // If the first rows match, it does not show that the limit counts other rows, too.
    if ((await bench.count(`${all} WHERE rowid < ${limit} AND (${sql})`)) === limit) continue;
    tried += 1;
    const some = await bench.read(table, { filter, limit });
    await assertMatches(
      bench,
      { some, all, sql },
      `the first ${counted(limit, "row")} of ${table.name} where ${sql}`,
    );
  }
  return tried;
}

async function checkQuery(session: Session, table: TableInfo, { fields }: SourceQuerySample): Promise<void> {
  const query = JSON.stringify(fields);
  const { issues } = v.safeParse(session.plugin.sourceQuery!, fields);
  assert.ok(issues === undefined, `${query} is not valid by the schema sourceQuery: ${issues?.[0].message}`);
  const what = `${table.name} by the query ${query}`;
  await using bench = await Workbench.open(session);
  const all = await bench.read(table, { sourceQuery: fields });
  const again = await bench.read(table, { sourceQuery: fields });
  await bench.assertSameRows(again, all, `the second read of ${what}`);
  for (const { filter, sql } of await chooseFilters(bench, table, all)) {
    const some = await bench.read(table, { sourceQuery: fields, filter });
    await assertMatches(bench, { some, all, sql }, `${what} where ${sql}`);
  }
}

/** Compares the rows that match a condition; a read may yield others, because the runtime filters again. */
function assertMatches(
  bench: Workbench,
  { some, all, sql }: { readonly some: string; readonly all: string } & Pick<ChosenFilter, "sql">,
  what: string,
): Promise<void> {
  return bench.assertSameRows(
    `(SELECT * FROM ${some} WHERE ${sql})`,
    `(SELECT * FROM ${all} WHERE ${sql})`,
    what,
  );
}

function samplesOf({ sourceQuery = [] }: ContractConfig): readonly SourceQuerySample[] {
  return "table" in sourceQuery ? [sourceQuery] : sourceQuery;
}
