/** What the benches of connectors share: one table through a connector and the runtime, and the time that it takes. */
import { silentLog, type Host } from "../lib/base/mod.ts";
import { createEngine } from "../lib/duckdb/mod.ts";
import { extractSource } from "../lib/extract/mod.ts";
import type { AnyPlugin } from "../lib/kit/mod.ts";
import { createPluginRegistry } from "../lib/plugins/mod.ts";
import { connectSource, discoverTables } from "../lib/sources/mod.ts";

/** A table to extract: the first one that the source lists. */
export interface ConnectorTable {
  readonly host: Host;
  readonly plugin: AnyPlugin;
  readonly options: Readonly<Record<string, unknown>>;
  /** The folder of the extract. */
  readonly target: string;
  readonly rows: number;
}

/** Reads a table through the connector and publishes it, or throws if it has another number of rows. */
export async function publishTable({ host, plugin, options, target, rows }: ConnectorTable): Promise<void> {
  const engine = createEngine(host, {});
  const services = { host, log: silentLog, engine, directory: target };
  const config = { plugin: plugin.name, options };
  await using source = await connectSource(services, createPluginRegistry([plugin]), "bench", config);
  const [info] = await discoverTables(source);
  const stats = await extractSource(
    { host, log: silentLog, limits: {} },
    {
      directory: target,
      source,
      tables: [
        {
          id: "bench.orders",
          name: "orders",
          info: info!,
          mode: "local",
          strategy: "full_refresh",
          primaryKey: [],
          schemaPolicy: "evolve",
          quarantine: false,
          description: "",
        },
      ],
    },
  );
  await engine.close();
  if (stats.totalRows !== rows) throw stats.errors[0]?.error ?? new Error(`${stats.totalRows} rows`);
}

/** Seconds, and those of all processors. */
export interface Spent {
  readonly seconds: number;
  readonly cpu: number;
}

export async function timed(work: () => Promise<unknown>): Promise<Spent> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - start) / 1000, cpu: (user + system) / 1e6 };
}

/** The median of a figure of all rounds, with two digits. */
export const median = <T>(rounds: readonly T[], of: (round: T) => number): string =>
  rounds
    .map(of)
    .toSorted((one, other) => one - other)
    [Math.floor(rounds.length / 2)]!.toFixed(2);
