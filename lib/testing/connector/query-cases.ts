import assert from "node:assert/strict";

import { table, toSelectSql, type AnyConnector, type TableInfo } from "../../kit/mod.ts";
import { discoverTables } from "../../sources/mod.ts";
import type { SourceCase } from "./source-case.ts";
import { Workbench } from "./rows.ts";
import { able, assertWrappedOnce, failureOf, namedTable, toTable, within } from "./session.ts";

/** Cases about running SQL in the source. */
export const queryCases: readonly SourceCase[] = [
  {
    name: "query() returns batches of its schema",
    needs: ["query"],
    async run(session) {
      const sql = session.config.query ?? "SELECT 1 AS one";
      const answer = await able(session, "query").query(sql, { signal: session.signal });
      assert.ok(answer.schema.fields.length > 0, `the result of ${sql} has no columns`);
      await using bench = await Workbench.open(session);
      const rows = await bench.load(table("answer", answer.schema), answer.batches);
      assert.ok((await bench.count(rows)) > 0, `the result of ${sql} has no rows`);
    },
  },
  {
    name: "query() works for the configured tables",
    needs: ["query"],
    when: ({ tables = [] }) => tables.length > 0,
    async run(session) {
      const { connector, handle, signal } = session;
      const listed = connector.discover === undefined ? null : await discoverTables(handle, { signal });
      for (const one of session.config.tables ?? []) {
        const info = listed === null ? toTable(one) : namedTable(listed, one);
        const can = info.capabilities ?? session.plugin.capabilities;
        // Tables with `read` are not queried by SQL, even if they are live.
        if (connector.read !== undefined || !can.includes("query")) continue;
        const sql = selectNone(info, connector);
        const { schema, batches } = await able(session, "query").query(sql, { signal });
        for await (const _ of batches);
        assert.ok(schema.fields.length > 0, `the result of ${sql} has no columns`);
      }
    },
  },
  {
    name: "query() of invalid SQL fails, wrapped once",
    needs: ["query"],
    async run(session) {
      const asked = async () => {
        const answer = await able(session, "query").query("SELECT FROM WHERE", { signal: session.signal });
        for await (const _ of answer.batches);
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
        const answer = await able(session, "query").query(sql, { signal: controller.signal });
        for await (const _ of answer.batches);
      };
      await within(
        1000,
        asked().catch(() => {}),
        "query() continues for more than a second after the abort",
      );
    },
  },
  {
    name: "estimate() returns plausible figures",
    needs: ["query"],
    async run({ connector, config, signal }) {
      if (connector.estimate === undefined) return;
      const { rows, sizeBytes } = await connector.estimate(config.query ?? "SELECT 1 AS one", { signal });
      for (const figure of [rows, sizeBytes]) {
        assert.ok(
          figure === undefined || (Number.isFinite(figure) && figure >= 0),
          `estimate() returns ${figure}`,
        );
      }
    },
  },
];

/** Returns SQL that selects no rows from a table, like a query of a live table. */
function selectNone(info: TableInfo, connector: AnyConnector): string {
  const path = info.remotePath ?? [info.name];
  const columns = info.schema.fields.map((field) => String(field.name));
  if (columns.length === 0) {
    const from = path.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
    return `SELECT * FROM ${from} WHERE 1 = 0`;
  }
  const request = { columns, filter: [], limit: 1 };
  return connector.selectSql?.(info, request) ?? toSelectSql(path, request);
}
