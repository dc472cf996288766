import { describe, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import { createHost } from "../../lib/base/mod.ts";
import plugin from "../../plugins/keboola/plugin.ts";
import type { KeboolaScript } from "../fakes/keboola/mod.ts";
import { NO_PAGES, sampleProject } from "../plugins-keboola/project.ts";
import { optionsOf } from "../plugins-keboola/support.ts";

setDefaultTimeout(180_000);

const scripts: readonly [string, KeboolaScript][] = [
  ["Parquet from S3", { provider: "aws" }],
  ["CSV from GCS on BigQuery", { provider: "gcp", parquet: false, backend: "bigquery" }],
  ["unsliced CSV from Azure", { provider: "azure", parquet: false, isSliced: false }],
];

for (const [title, script] of scripts) {
  describe(`keboola: contract with ${title}`, () => {
    const server = sampleProject({ sliceRows: 30, jobPolls: 0, clock: createHost(), ...script });
    const cases = connectorContract(plugin, {
      options: optionsOf(server),
      secrets: { KEBOOLA_STORAGE_TOKEN: server.token },
      server,
      timeoutMs: 150_000,
      exceptions: [NO_PAGES],
    });
    for (const { name, run } of cases) test(name, run);
  });
}
