import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes } from "agnes";
import bigquery from "agnes/plugins/bigquery";

const { PROXY, STORAGE } = process.env;
const workspace = mkdtempSync(join(tmpdir(), "agnes-bigquery-"));
const messages = [];
const fetchByProxy = (url, init) => {
  const headers = new Headers(init.headers);
  headers.set("x-url", url);
  return fetch(PROXY, { ...init, headers });
};
const options = { project: "shop-1", storageEndpoint: STORAGE };
const agnes = await createAgnes({
  workspace,
  plugins: [bigquery],
  host: { fetch: fetchByProxy },
  log: { debug() {}, info: (message) => messages.push(message), warn() {}, error() {} },
  config: { version: 1, sources: { bq: { plugin: "bigquery", options } } },
});
const tables = await agnes.tables();
await tables.register({ source: "bq", sourceTable: "shop.orders", name: "orders" });
const { sources } = await agnes.sync();
if (sources[0].error !== undefined) throw sources[0].error;
const result = {
  orders: await agnes.rows(
    "SELECT count(*)::INT AS n, count(DISTINCT id)::INT AS ids, sum(amount)::VARCHAR AS total, max(changed_at)::VARCHAR AS last, sum(len(lines))::INT AS lines FROM orders",
  ),
  missing: messages.filter((message) => message.includes("optional package")),
};
await agnes[Symbol.asyncDispose]?.();
rmSync(workspace, { recursive: true });
process.stdout.write(JSON.stringify(result));
