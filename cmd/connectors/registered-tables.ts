import { isAgnesError } from "../../lib/base/mod.ts";
import type { AnyPlugin, TableInfo } from "../../lib/kit/mod.ts";
import { registeredTable } from "../../lib/sources/mod.ts";
import { checkedQuery, type RegisteredTable } from "../../lib/tables/mod.ts";
import type { SourceQuerySample } from "../../lib/testing/mod.ts";
import type { Cli } from "../cli/cli.ts";

/**
 * The registered tables of a source whose plugin cannot list them, or the tables of `--table`. The result of SQL is no table
 * of the source; a JSON query selects from one.
 */
export function registeredTables(
  records: readonly RegisteredTable[],
  { sourceQuery: schema }: AnyPlugin,
  named: readonly string[] | undefined,
): readonly (string | TableInfo)[] {
  const tables = records.filter(({ sourceQuery }) => sourceQuery === null || schema !== undefined);
  if (named === undefined) {
    // A table may be registered several times, with other queries.
    return [...new Map(tables.map(registeredTable).map((info) => [info.name, info])).values()];
  }
  return named.map((name) => {
    const found = tables.find((record) =>
      [record.name, record.id, record.viewName, record.sourceTable].includes(name),
    );
    return found === undefined ? name : registeredTable(found);
  });
}

/**
 * The fields of the JSON queries of the registered tables of a source. Warns of invalid queries.
 *
 * @param tables the tables to test; default: all
 */
export function registeredQueries(
  cli: Cli,
  records: readonly RegisteredTable[],
  { name: plugin, sourceQuery: schema }: AnyPlugin,
  tables: readonly (string | TableInfo)[] | undefined,
): readonly SourceQuerySample[] {
  if (schema === undefined) return [];
  const tested = tables && new Set(tables.map((one) => (typeof one === "string" ? one : one.name)));
  return records.flatMap((record) => {
    const table = record.sourceTable;
    if (table === null || record.sourceQuery === null || tested?.has(table) === false) return [];
    try {
      const query = checkedQuery(record, record.id, { plugin, schema, now: new Date(), isRegistered: true });
      const { fields = {} } = query ?? {};
      return Object.keys(fields).length === 0 ? [] : [{ table, fields }];
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      cli.warn(`the query of ${record.id} is not tested: ${error.message}`);
      return [];
    }
  });
}
