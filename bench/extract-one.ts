/** One table through the whole runtime, for the benches. */
import { createHost, silentLog } from "../lib/base/mod.ts";
import { extractSource, type ExtractStats, type TablePlan } from "../lib/extract/mod.ts";
import type { ExtractRequest } from "../lib/extract/extract-source.ts";
import type { Batch, ReadResult, TableInfo } from "../lib/kit/mod.ts";

/** Extracts what `read` gives into `directory`: in full, unless `plan` sets something else. */
export function extractOne(
  directory: string,
  info: TableInfo,
  read: () => AsyncIterable<Batch, ReadResult | void>,
  plan: Partial<TablePlan> = {},
  request: Partial<ExtractRequest> = {},
): Promise<ExtractStats> {
  return extractSource(
    { host: createHost(), log: silentLog, limits: {} },
    {
      ...request,
      directory,
      source: { name: "bench", plugin: { name: "bench", version: "1.0.0" }, connector: { read } },
      tables: [
        {
          id: `bench.${info.name}`,
          name: info.name,
          info,
          mode: "local",
          strategy: "full_refresh",
          primaryKey: [],
          schemaPolicy: "evolve",
          quarantine: false,
          description: "",
          ...plan,
        },
      ],
    },
  );
}
