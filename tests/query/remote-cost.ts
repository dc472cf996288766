import type { TableMetadata } from "agnes/kit";

import { connect } from "../plugins-bigquery/support.ts";
import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { bq, openHybridShop, type Register } from "./hybrid-shop.ts";

/** One remote row of this many has a local key. */
const SELECTIVITY = 100;
const PAGES = "`shop-1`.`web`.`pages`";
const LIVE =
  "SELECT count(*)::INT AS n, sum(p.views)::BIGINT AS views, min(p.title) AS title FROM orders o JOIN";

/** The bytes of rows that a fake BigQuery sent for one query, and the result. */
interface Cost {
  readonly bytes: number;
  readonly rows: readonly unknown[];
}

/** A join of a local table with a remote one, with and without the local keys in the remote query. */
export interface JoinCost {
  readonly name: string;
  readonly pushed: Cost;
  readonly unpushed: Cost;
}

/** Joins local keys with one percent of a remote table: as a live table, and as a registered query. */
export async function joinCosts(remoteRows: number): Promise<readonly JoinCost[]> {
  let bytes = 0;
  await using shop = await openHybridShop({
    tables: [pagesTable(remoteRows)],
    bigquery: { storageRead: false },
    local: `CREATE TABLE orders AS SELECT i * ${SELECTIVITY} AS page FROM range(${remoteRows / SELECTIVITY}) t(i)`,
    async onResponse(url, response) {
      if (new URL(url).pathname.includes("/queries/")) bytes += (await response.arrayBuffer()).byteLength;
    },
  });
  const registry = await shop.agnes.tables();
  await registry.register({
    source: "bq",
    sourceTable: "pages",
    bucket: "web",
    name: "live_pages",
    queryMode: "remote",
  });
  await shop.agnes.sync({ only: ["bq"] });
  const costOf = async (sql: string, register?: Register): Promise<Cost> => {
    bytes = 0;
    const rows = await shop.agnes.rows(sql, register === undefined ? {} : { register });
    return { bytes, rows };
  };
  const selected = `SELECT id, title, views FROM ${PAGES}`;
  const keys = "SELECT DISTINCT page FROM orders";
  const registered = `${LIVE} p ON p.id = o.page`;
  return [
    {
      name: "live table",
      pushed: await costOf(`${LIVE} live_pages p ON p.id = o.page`),
      // Values of an expression are not passed to the source.
      unpushed: await costOf(`${LIVE} live_pages p ON p.id + 0 = o.page`),
    },
    {
      name: "registered query",
      pushed: await costOf(registered, { p: bq(`${selected} WHERE id IN UNNEST(@keys)`, { keys }) }),
      unpushed: await costOf(registered, { p: bq(selected) }),
    },
  ];
}

function pagesTable(rows: number): FakeTable {
  return {
    dataset: "web",
    id: "pages",
    fields: [
      { name: "id", type: "INTEGER", mode: "REQUIRED" },
      { name: "title", type: "STRING" },
      { name: "views", type: "INTEGER" },
    ],
    rows: Array.from({ length: rows }, (_, id) => [String(id), `the title of page ${id}`, String(id * 7)]),
  };
}

/** What a refresh of metadata costs. */
export interface RefreshCost {
  readonly found: readonly TableMetadata[];
  /** The requests with their paths, without those of the sign-in. */
  readonly requests: readonly string[];
  /** The jobs, dry runs included. */
  readonly jobs: number;
  readonly seconds: number;
}

/** Refreshes the metadata of remote tables in a number of datasets, each with a row and a size. */
export async function refreshCost(tables: number, datasets: number): Promise<RefreshCost> {
  const all = Array.from({ length: tables }, (_, at): FakeTable => ({
    dataset: `d${at % datasets}`,
    id: `t${at}`,
    fields: [{ name: "id", type: "INTEGER" }],
    resource: { numRows: String(at), numBytes: String(at * 8) },
  }));
  await using server = fakeBigQuery({ tables: all, script: { listRows: 1000 } });
  const { connector, tables: list } = await connect(server);
  const infos = [...(await list()).values()];
  const before = server.requests.length;
  const start = performance.now();
  const { signal } = new AbortController();
  const found = await connector.metadata!(infos, { signal });
  return {
    found,
    seconds: (performance.now() - start) / 1000,
    requests: server.requests
      .slice(before)
      .map(({ method, url }) => `${method} ${new URL(url).pathname}`)
      .filter((request) => request.includes("/bigquery/")),
    jobs: server.inserted.length,
  };
}
