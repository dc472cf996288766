import { setTimeout as sleep } from "node:timers/promises";

import type { TableMetadata } from "agnes/kit";

import type { Broken } from "./broken.ts";
import type { Breaking } from "./memory.ts";

const DESCRIBES = "metadata() describes the tables it is asked for";

/** Ways to describe a table wrongly. */
const wrong: Readonly<Record<string, Breaking>> = {
  "metadata of a table that nobody has": () => ({
    metadata: async (tables) => tables.map(({ name }) => ({ name, rows: 1 })),
  }),
  "metadata of tables that nobody asked for": fixed({ rows: 1 }),
  "figures that cannot be true": asked({ rows: -1 }),
  "a figure by another name": asked({ bytes: 7 }),
  "an entity type by the vendor's name": asked({ entityType: "BASE TABLE" }),
  "a date as text": asked({ modifiedAt: "2026-01-31" }),
  "columns without types": asked({ columns: [{ name: "id" }] }),
  "fewer columns than discover() lists": asked({ columns: [{ name: "id", type: "INT" }] }),
  "clustering by what is no column": asked({ clusteredBy: ["customer"] }),
};

/** Connectors whose metadata is not as the contract says. */
export const brokenMetadata: readonly Broken[] = [
  ...Object.entries(wrong).map(([words, breaking]) => ({
    words,
    breaking,
    caught: [DESCRIBES],
    capabilities: ["discover", "metadata"] as const,
  })),
  {
    words: "metadata that goes on after the abort",
    breaking: (good) => ({
      async metadata(tables, options) {
        if (options.signal.aborted) await sleep(1500);
        return good.metadata(tables, options);
      },
    }),
    caught: ["metadata() stops within a second when it is aborted"],
    capabilities: ["discover", "metadata"],
  },
];

function fixed(metadata: object): Breaking {
  return () => ({ metadata: async () => [{ name: "people", ...metadata } as TableMetadata] });
}

function asked(metadata: object): Breaking {
  return (good) => ({
    metadata: async (tables, options) =>
      (await good.metadata(tables, options)).map(({ name }) => ({ name, ...metadata }) as TableMetadata),
  });
}
