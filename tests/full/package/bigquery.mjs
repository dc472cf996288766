import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes } from "agnes";
import bigquery from "agnes/plugins/bigquery";

const workspace = mkdtempSync(join(tmpdir(), "agnes-bigquery-"));
const fetchByProxy = (url, init) => {
  const headers = new Headers(init.headers);
  headers.set("x-url", url);
  return fetch(process.env.PROXY, { ...init, headers });
};
const agnes = await createAgnes({
  workspace,
  plugins: [bigquery],
  host: { fetch: fetchByProxy },
  config: { version: 1, sources: { bq: { plugin: "bigquery", options: { project: "shop-1" } } } },
});
const tables = await agnes.tables();
const orders = { source: "bq", sourceTable: "shop.orders" };
await tables.register({ ...orders, name: "orders", syncStrategy: "incremental" });
await tables.register({
  ...orders,
  sourceTable: "orders",
  bucket: "shop",
  name: "live",
  queryMode: "remote",
});
const query = "SELECT `id` FROM `shop-1`.`shop`.`orders`";
await tables.register({ source: "bq", name: "totals", queryMode: "materialized", sourceQuery: query });
const { status } = await agnes.sync();
const { sources } = await agnes.sync();
if (sources[0].error !== undefined) throw sources[0].error;
const again = sources[0].stats.tables.filter(({ name }) => name !== "live").map((table) => table.status);
const result = {
  status,
  again,
  orders: await agnes.rows(
    "SELECT count(*)::INT AS n, sum(amount)::VARCHAR AS total, max(changed_at)::VARCHAR AS last FROM orders",
  ),
  totals: await agnes.rows("SELECT count(*)::INT AS n FROM totals"),
  live: await agnes.rows("SELECT customer FROM live WHERE id = 3"),
};
await agnes[Symbol.asyncDispose]?.();
rmSync(workspace, { recursive: true });
process.stdout.write(JSON.stringify(result));
