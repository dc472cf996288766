/**
 * What remote tables of BigQuery cost, counted at the fake of the tests: the bytes of rows that a join reads with and
 * without the local keys in the remote query, at a selectivity of one percent, and the requests and jobs of a refresh of
 * the metadata of many tables.
 *
 *   npx bun bench/remote.ts [--rows 20000] [--tables 1000]
 */
import { parseArgs } from "node:util";

import { joinCosts, refreshCost } from "../tests/query/remote-cost.ts";

const { values } = parseArgs({
  options: { rows: { type: "string", default: "20000" }, tables: { type: "string", default: "1000" } },
});

for (const { name, pushed, unpushed } of await joinCosts(Number(values.rows))) {
  if (JSON.stringify(pushed.rows, asText) !== JSON.stringify(unpushed.rows, asText))
    throw new Error(`${name}: the rows differ`);
  const ratio = (pushed.bytes / unpushed.bytes).toFixed(4);
  console.log(
    `${name}, keys of 1 % of ${values.rows} rows: ${pushed.bytes} B, without keys ${unpushed.bytes} B, ratio ${ratio} (at most 0.05)`,
  );
}

const { found, requests, jobs, seconds } = await refreshCost(Number(values.tables), 4);
console.log(
  `metadata of ${found.length} tables in 4 datasets: ${requests.length} free requests, ${jobs} jobs (none), ${seconds.toFixed(2)} s`,
);

function asText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
