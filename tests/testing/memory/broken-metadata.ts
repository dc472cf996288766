import { setTimeout as sleep } from "node:timers/promises";

import type { TableMetadata } from "agnes/kit";

import type { Broken } from "./broken.ts";
import type { Breaking } from "./memory.ts";

const DESCRIBES = "metadata() describes the requested tables";
const ZEROS = "metadata() reports zero rows or bytes only for tables without rows";

/** Wrong descriptions of a table. */
const wrong: Readonly<Record<string, Breaking>> = {
  "metadata of an unknown table": () => ({
    metadata: async (tables) => tables.map(({ name }) => ({ name, rows: 1 })),
  }),
  "metadata of tables that were not requested": fixed({ rows: 1 }),
  "impossible figures": discovered({ rows: -1 }),
  "a figure with the wrong name": discovered({ bytes: 7 }),
  "a vendor-specific entity type": discovered({ entityType: "BASE TABLE" }),
  "a date as text": discovered({ modifiedAt: "2026-01-31" }),
  "columns without types": discovered({ columns: [{ name: "id" }] }),
  "fewer columns than discover() lists": discovered({ columns: [{ name: "id", type: "INT" }] }),
  "clustering by an unknown column": discovered({ clusteredBy: ["customer"] }),
};

/** Connectors whose metadata violates the contract. */
export const brokenMetadata: readonly Broken[] = [
  ...Object.entries(wrong).map(([title, breaking]) => ({
    title,
    breaking,
    caught: [DESCRIBES],
    capabilities: ["discover", "metadata"] as const,
  })),
  {
    title: "metadata() that continues after the abort",
    breaking: (good) => ({
      async metadata(tables, options) {
        if (options.signal.aborted) await sleep(1500);
        return good.metadata(tables, options);
      },
    }),
    caught: ["metadata() stops within a second when it is aborted"],
    capabilities: ["discover", "metadata"],
  },
  {
    title: "metadata with 0 for an unknown number of rows",
    breaking: discovered({ rows: 0 }),
    caught: [ZEROS],
  },
  {
    title: "metadata with 0 for an unknown size",
    breaking: discovered({ sizeBytes: 0 }),
    caught: [ZEROS],
  },
];

function fixed(metadata: object): Breaking {
  return () => ({ metadata: async () => [{ name: "people", ...metadata } as TableMetadata] });
}

function discovered(metadata: object): Breaking {
  return (good) => ({
    metadata: async (tables, options) =>
      (await good.metadata(tables, options)).map(({ name }) => ({ name, ...metadata }) as TableMetadata),
  });
}
