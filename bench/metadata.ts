/**
 * A refresh of the metadata of many remote tables, against a source that answers each call after 50 ms. The ideal is the number
 * of tables times the latency, divided by the calls at once.
 *
 *   npx bun bench/metadata.ts [--tables 1000] [--latency 50] [--concurrency 4]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

import { createAgnes } from "../lib/create-agnes.ts";

const { values } = parseArgs({
  options: {
    tables: { type: "string", default: "1000" },
    latency: { type: "string", default: "50" },
    concurrency: { type: "string", default: "4" },
  },
});
const count = Number(values.tables);
const latencyMs = Number(values.latency);
const concurrency = Number(values.concurrency);

let inFlight = 0;
let maxInFlight = 0;
const warehouse = definePlugin({
  name: "warehouse",
  version: "1.0.0",
  description: "Reports metadata after a pause",
  capabilities: ["discover", "read", "metadata"],
  options: v.strictObject({}),
  secrets: {},
  register: "listed",
  connect: () => ({
    discover: async () => [table("t0", { id: int64() })],
    async *read() {
      yield [{ id: 1 }];
    },
    async metadata(tables) {
      maxInFlight = Math.max(maxInFlight, ++inFlight);
      await Bun.sleep(latencyMs);
      inFlight -= 1;
      const columns = Array.from({ length: 20 }, (_, at) => ({ name: `column_${at}`, type: "STRING" }));
      return tables.map(({ name }) => ({ name, rows: 1_000_000, sizeBytes: 80_000_000, columns }));
    },
  }),
});

/** The same pauses without Agnes, in milliseconds. */
async function bareCalls(): Promise<number> {
  const startMs = performance.now();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await Bun.sleep(latencyMs);
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return performance.now() - startMs;
}

const directory = mkdtempSync(join(tmpdir(), "agnes-bench-metadata-"));
try {
  await using agnes = await createAgnes({
    workspace: directory,
    plugins: [warehouse],
    config: { version: 1, sources: { shop: { plugin: "warehouse" } } },
    host: { env: { AGNES_BQ_METADATA_REFRESH_CONCURRENCY: String(concurrency) } },
  });
  const registry = await agnes.tables();
  await registry.import({
    path: "the bench",
    folder_mapping: {},
    tables: Array.from({ length: count }, (_, at) => ({
      source: "shop",
      name: `t${at}`,
      source_table: `t${at}`,
      query_mode: "remote",
    })),
  });
  // What this machine needs for the calls alone.
  const bareMs = await bareCalls();
  const idealMs = Math.ceil(count / concurrency) * latencyMs;
  for (const round of ["first", "again"]) {
    const before = process.cpuUsage();
    const startMs = performance.now();
    const { succeeded } = await agnes.metadata.refresh();
    const elapsedMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(before);
    if (succeeded !== count) throw new Error(`${succeeded} of ${count} tables were refreshed`);
    console.log(
      `${round}: ${count} tables, ${maxInFlight} at once, ${(elapsedMs / 1000).toFixed(2)} s, ideal ${(idealMs / 1000).toFixed(2)} s, ` +
        `ratio ${(elapsedMs / idealMs).toFixed(2)} (at most 1.3), to the calls alone ${(elapsedMs / bareMs).toFixed(2)}, processor time ${((user + system) / 1e6).toFixed(2)} s`,
    );
  }
  const startMs = performance.now();
  const { tables } = await agnes.metadata.status();
  console.log(`status of ${tables.length} tables: ${(performance.now() - startMs).toFixed(0)} ms`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
