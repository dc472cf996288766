import type { AnyPlugin } from "agnes/kit";
import { connectorContract, runCases, type ContractConfig } from "agnes/testing";

import { ARRAY_QUERY, PARAMETER_QUERY, signature } from "./memory/memory.ts";

const TOKEN = "t0ken-of-the-test/+ä";
const body = new TextEncoder().encode(JSON.stringify({ id: 1, name: "Ada" }));
const request = { method: "POST", url: "http://localhost/", body };
/** The contract configuration of the memory plugins. */
export const memoryConfig: ContractConfig = {
  secrets: { TOKEN },
  push: {
    genuine: { ...request, headers: { "x-signature": signature(body, TOKEN) } },
    forged: [{ ...request, headers: { "x-signature": "1" } }],
  },
  parameterQuery: PARAMETER_QUERY,
  arrayQuery: ARRAY_QUERY,
  sourceQuery: { table: "people", fields: { from: 700 } },
  write: [
    { table: "people", rows: [{ id: 5000, name: "New", seen_at: "2026-03-01T00:00:00Z" }] },
    {
      table: "people",
      mode: "upsert",
      rows: [
        { id: 5, name: "Newer", seen_at: null },
        { id: 6000, name: "" },
      ],
    },
    { table: "people", mode: "replace", rows: [{ id: 1, name: "Only", seen_at: null }] },
  ],
  writeMetadata: {
    table: "people",
    columns: [
      { name: "name", description: "The full name", type: "BIGINT" },
      { name: "id", description: "The number" },
    ],
  },
};

/** Returns the names of the failing cases, of all cases or of those listed. */
export async function failuresOf(
  plugin: AnyPlugin,
  config: ContractConfig,
  names?: readonly string[],
): Promise<readonly string[]> {
  const cases = connectorContract(plugin, config).filter(({ name }) => names?.includes(name) ?? true);
  const results = await runCases(cases);
  return results.filter((result) => !result.ok).map((result) => result.name);
}
