import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Agnes } from "agnes";

import { fakeBigQuery, type FakeBigQuery } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { NOT_SHIPPED, openShippedShop, resultOf, SHIPPED, shippedTables } from "./shipped-shop.ts";

setDefaultTimeout(60_000);

const TABLES = ["sales", "countries", "nothing"];

describe("bigquery: whole queries", () => {
  const folder = temporaryFolder();
  let server: FakeBigQuery;
  let agnes: Agnes;
  beforeAll(async () => {
    server = fakeBigQuery({ tables: shippedTables(), script: { polls: 0 } });
    agnes = await openShippedShop(folder.path, {
      fetch: server.fetch,
      serviceAccount: server.signIn.serviceAccount,
      options: { project: server.project },
      tables: TABLES,
    });
  });
  afterAll(async () => {
    await agnes.close();
    await server[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  test.each(SHIPPED)("ships %s", async (sql) => {
    const local = await resultOf(agnes, sql.replaceAll("r.", "l."));
    const { rows, columns, receipt } = await resultOf(agnes, sql);
    expect(receipt.remotes.map(({ accessMode }) => accessMode)).toEqual(receipt.tables.map(() => "shipped"));
    expect(columns).toEqual(local.columns as string[]);
    expect(rows).toEqual(local.rows as string[]);
  });

  test.each(NOT_SHIPPED)("does not ship %s", async (sql) => {
    const local = await resultOf(agnes, sql.replaceAll("r.", "l."));
    const { rows, columns, receipt } = await resultOf(agnes, sql);
    expect(receipt.remotes.map(({ accessMode }) => accessMode)).toEqual(receipt.tables.map(() => "live"));
    expect(columns).toEqual(local.columns as string[]);
    expect(rows).toEqual(local.rows as string[]);
  });
});
