/**
 * A sync in a process that may be killed: `bun crash-child.ts DIRECTORY PROXY`. Requests go to the fake of the parent, which
 * answers at PROXY.
 */
import { createHost, silentLog } from "../../lib/base/mod.ts";
import { createEngine } from "../../lib/duckdb/mod.ts";
import { extractSource } from "../../lib/extract/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, discoverTables } from "../../lib/sources/mod.ts";
import plugin from "../../plugins/keboola/plugin.ts";
import { CRASH_TABLE, crashPlan } from "./crash-plan.ts";

const [directory, proxy, token, stack] = process.argv.slice(2) as [string, string, string, string];

const throughProxy = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
  const headers = new Headers(init?.headers);
  headers.set("x-target", new Request(input as string).url);
  return fetch(proxy, { ...init, headers } as RequestInit);
};
const host = createHost({ fetch: throughProxy as typeof fetch, env: { KEBOOLA_STORAGE_TOKEN: token } });
const limits = { memoryMb: 256, threads: 2 };
const engine = createEngine(host, limits);
const services = { host, log: silentLog, engine, directory };
const config = { plugin: "keboola", options: { url: stack, allowPrivateAddress: true } };
const source = await connectSource(services, createPluginRegistry([plugin]), "kbc", config);
const info = (await discoverTables(source)).find(({ name }) => name === CRASH_TABLE)!;
const stats = await extractSource(
  { host, log: silentLog, limits },
  { directory, source, tables: [crashPlan(info)] },
);
await source.close();
await engine.close();
process.exit(stats.tablesFailed === 0 ? 0 : 7);
