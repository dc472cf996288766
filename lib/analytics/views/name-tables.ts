import { messageOf } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { tableId, type AnalyticsState, type AnalyticsTable, type Issue } from "../model.ts";
import { createViews } from "./create-views.ts";

/** Tables with their assigned view names. */
export interface NamedTables {
  readonly tables: readonly AnalyticsTable[];
  readonly renamed: boolean;
  readonly issues: readonly Issue[];
}

/** Creates the views of schema `main`. */
export async function nameTables(
  connection: Connection,
  previous: AnalyticsState | null,
  tables: readonly AnalyticsTable[],
  recreated: ReadonlySet<string>,
): Promise<NamedTables> {
  const before = namesOf(previous?.tables ?? []);
  const after = namesOf(tables);
  const drop = [...before.keys()].filter((name) => !after.has(name));
  if (drop.length > 0) {
    await connection.run(drop.map((name) => `DROP VIEW IF EXISTS main.${quoteIdentifier(name)};`).join("\n"));
  }
  const create = tables
    .filter(
      (t) => t.viewName !== null && (before.get(t.viewName) !== tableId(t) || recreated.has(tableId(t))),
    )
    .map((t) => {
      const target = `${quoteIdentifier(t.source)}.${quoteIdentifier(t.name)}`;
      return {
        id: tableId(t),
        sql: `CREATE OR REPLACE VIEW main.${quoteIdentifier(t.viewName!)} AS SELECT * FROM ${target}`,
      };
    });
  const failures = await createViews(connection, create, undefined);
  const issues = [...failures].map(([name, error]): Issue => ({
    kind: "error",
    name,
    code: "view_failed",
    reason: messageOf(error),
  }));
  return {
    tables: tables.map((table) => (failures.has(tableId(table)) ? { ...table, viewName: null } : table)),
    renamed: drop.length > 0 || create.length > 0,
    issues,
  };
}

function namesOf(tables: readonly AnalyticsTable[]): ReadonlyMap<string, string> {
  return new Map(tables.flatMap((t) => (t.viewName === null ? [] : [[t.viewName, tableId(t)] as const])));
}
