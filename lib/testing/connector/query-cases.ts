import assert from "node:assert/strict";

import { counted } from "../../base/mod.ts";
import {
  quoteIdentifier,
  table,
  toSelectSql,
  type AnyConnector,
  type QueryEstimate,
  type TableInfo,
} from "../../kit/mod.ts";
import { resultBatches, discoverTables } from "../../sources/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { Workbench } from "./rows.ts";
import {
  able,
  assertWrappedOnce,
  failureOf,
  namedTable,
  toTable,
  beforeDeadline,
  type Session,
} from "./session.ts";

/** Cases about running SQL in the source. */
export const queryCases: readonly SourceCase[] = [
  {
    name: "query() returns batches of its schema",
    needs: ["query"],
    async run(session) {
      const sql = session.config.query ?? "SELECT 1 AS one";
      const { signal } = session;
      const result = await able(session, "query").query(sql, { signal });
      assert.ok(result.schema.fields.length > 0, `the result of ${sql} has no columns`);
      await using bench = await Workbench.open(session);
      const rows = await bench.load(table("result", result.schema), resultBatches(result, { signal }));
      assert.ok((await bench.count(rows)) > 0, `the result of ${sql} has no rows`);
    },
  },
  {
    name: "query() works for the configured tables",
    needs: ["query"],
    when: ({ tables = [] }) => tables.length > 0,
    async run(session) {
      const { connector, signal } = session;
      for (const info of await queriedTables(session)) {
        const sql = selectFrom(info, connector, 1);
        const result = await able(session, "query").query(sql, { signal });
        for await (const _ of resultBatches(result, { signal }));
        assert.ok(result.schema.fields.length > 0, `the result of ${sql} has no columns`);
      }
    },
  },
  {
    name: "query() of invalid SQL fails, wrapped once",
    needs: ["query"],
    async run(session) {
      const asked = async () => {
        const result = await able(session, "query").query("SELECT FROM WHERE", { signal: session.signal });
        for await (const _ of resultBatches(result, { signal: session.signal }));
      };
      assertWrappedOnce(await failureOf(asked(), "query() succeeds for invalid SQL"));
    },
  },
  {
    name: "query() stops within a second when it is aborted",
    needs: ["query"],
    async run(session) {
      const controller = new AbortController();
      controller.abort();
      const sql = session.config.query ?? "SELECT 1 AS one";
      const asked = async () => {
        const result = await able(session, "query").query(sql, { signal: controller.signal });
        for await (const _ of resultBatches(result, { signal: controller.signal }));
      };
      await beforeDeadline(
        1000,
        asked().catch(() => {}),
        "query() continues for more than a second after the abort",
      );
    },
  },
  {
    name: "estimate() returns plausible figures",
    needs: ["query"],
    async run(session) {
      const { connector, config, signal } = session;
      if (connector.estimate === undefined) return;
      const estimates: string[] = [];
      for (const info of await queriedTables(session)) {
        const sql = selectFrom(info, connector);
        estimates.push(`${info.name}: ${estimateText(await connector.estimate(sql, { signal }))}`);
      }
      if (estimates.length > 0) return `estimates of whole tables: ${estimates.join("; ")}`;
      const sql = config.query ?? "SELECT 1 AS one";
      return `estimate of ${sql}: ${estimateText(await connector.estimate(sql, { signal }))}`;
    },
  },
];

/** The figures of an estimate, which the runtime has checked. */
function estimateText({ rows, scannedBytes, price }: QueryEstimate): string {
  const figures = [
    ...(rows === undefined ? [] : [counted(rows, "row")]),
    ...(scannedBytes === undefined ? [] : [`${counted(scannedBytes, "byte")} scanned`]),
    ...(price === undefined ? [] : [`${price.amount} ${price.currency}`]),
  ];
  return figures.length === 0 ? "nothing is known" : figures.join(", ");
}

/** The configured tables that are queried by SQL: those with `read` are not, even if they are live. */
async function queriedTables(session: Session): Promise<readonly TableInfo[]> {
  const { connector, handle, signal, config } = session;
  if ((config.tables ?? []).length === 0) return [];
  const listed = connector.discover === undefined ? null : await discoverTables(handle, { signal });
  return config
    .tables!.map((one) => (listed === null ? toTable(one) : namedTable(listed, one)))
    .filter(
      (info) =>
        connector.read === undefined && (info.capabilities ?? session.plugin.capabilities).includes("query"),
    );
}

/** Returns SQL that selects rows of a table, like a query of a live table; none if its columns are unknown and limited. */
function selectFrom(info: TableInfo, connector: AnyConnector, limit?: number): string {
  const path = info.remotePath ?? [info.name];
  const columns = info.schema.fields.map((field) => String(field.name));
  if (columns.length === 0) {
    const from = path.map((part) => quoteIdentifier(part)).join(".");
    return `SELECT * FROM ${from}${limit === undefined ? "" : " WHERE 1 = 0"}`;
  }
  const request = { columns, filter: [], ...(limit === undefined ? {} : { limit }) };
  return connector.selectSql?.(info, request) ?? toSelectSql(path, request);
}
