// Run by long-calls.test.ts with a thread pool of a given size; arguments: how many calls are to be lost, a directory.
import { readFile } from "node:fs/promises";

import * as v from "valibot";

import { definePlugin, int64, table } from "../../lib/kit/mod.ts";
import { createAgnes } from "../../lib/mod.ts";

/** Each is inside one call of a function for minutes, in which DuckDB looks for no interrupt. */
const CALLS = ["b", "c", "d"].map(
  (letter) => `SELECT regexp_matches(repeat('a', 99000000), repeat('(a?){0,900}', 10) || '${letter}') AS n`,
);

const plugin = definePlugin({
  name: "shop",
  version: "1.0.0",
  description: "Two tables",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () => ["local", "live"].map((name) => table(name, { id: int64() })),
    async *read({ name }) {
      // So many rows that several threads of DuckDB take part in a query of them.
      const length = name === "local" ? 400_000 : 10;
      yield Array.from({ length }, (_, id) => ({ id }));
    },
  }),
});

const [count, directory] = [Number(process.argv[2]), process.argv[3]!];
const config = { version: 1 as const, sources: { shop: { plugin: "shop" } }, limits: { threads: 1 } };
const agnes = await createAgnes({ workspace: directory, plugins: [plugin], config });
const tables = await agnes.tables();
await tables.register({ source: "shop", sourceTable: "local" });
await tables.register({ source: "shop", sourceTable: "live", queryMode: "remote" });
await agnes.sync();

const outcome = async (sql: string, timeoutMs: number): Promise<unknown> => {
  try {
    const [row] = await agnes.rows<{ n: number }>(sql, { limits: { timeoutMs } });
    return row!.n;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

await outcome("SELECT count(*) AS n FROM local", 60_000);
const lost: unknown[] = [];
for (let at = 0; at < count; at++) lost.push(await outcome(CALLS[at % CALLS.length]!, 2000));
const later: unknown[] = [];
for (const name of ["local", "live", "live"])
  later.push(await outcome(`SELECT count(*) AS n FROM ${name}`, 20_000));
const isFileRead = (await readFile(process.argv[1]!)).length > 0;
process.stdout.write(JSON.stringify({ lost, later, isFileRead }), () => process.exit(0));
