/**
 * What a lookup of 20 rows costs: through a session in this process, and in worker processes, against DuckDB alone, which
 * runs the same SQL over the same file and writes the same JSON. They alternate in rounds.
 *
 *     npx bun bench/lookup.ts [--rounds N] [--lookups N]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { DuckDBInstance } from "@duckdb/node-api";
import * as v from "valibot";

import { definePlugin, float64, int64, table, utf8 } from "../lib/kit/mod.ts";
import { createAgnes } from "../lib/mod.ts";
import { openDatabase } from "../lib/duckdb/mod.ts";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, lookups: { type: "string", default: "300" } },
});
const [rounds, lookups] = [Number(values.rounds), Number(values.lookups)];

const plugin = definePlugin({
  name: "shop",
  version: "1.0.0",
  description: "One table",
  capabilities: ["discover", "read"],
  register: "all",
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () => [table("orders", { id: int64(), customer: utf8(), amount: float64() })],
    async *read() {
      yield Array.from({ length: 10_000 }, (_, id) => ({ id, customer: `c${id % 97}`, amount: id / 4 }));
    },
  }),
});
const SQL = "SELECT id, customer, amount FROM orders WHERE id BETWEEN 100 AND 119 ORDER BY id";

type Lookup = () => Promise<unknown>;

/** Lookups in a row by several callers at once. @returns lookups per second */
async function rate(lookup: Lookup, callers: number): Promise<number> {
  let left = lookups;
  const startMs = performance.now();
  const call = async () => {
    while (left-- > 0) await lookup();
  };
  await Promise.all(Array.from({ length: callers }, call));
  return (lookups / (performance.now() - startMs)) * 1000;
}

/** DuckDB alone, with one connection for each caller. */
async function bareLookup(part: string): Promise<Lookup> {
  const instance = await DuckDBInstance.create(":memory:");
  const setup = await instance.connect();
  await setup.run(`CREATE VIEW orders AS SELECT * FROM read_parquet('${part}')`);
  const free = await Promise.all(Array.from({ length: 16 }, () => instance.connect()));
  return async () => {
    const connection = free.pop()!;
    const rows = await connection.runAndReadAll(SQL);
    free.push(connection);
    return JSON.stringify(rows.getRowObjectsJson());
  };
}

async function partIn(data: string): Promise<string> {
  await using database = await openDatabase({
    path: join(data, "extracts/shop/extract.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  const [part] = await connection.rows<{ path: string }>("SELECT path FROM _parts");
  return join(data, "extracts/shop", part!.path);
}

const directory = await mkdtemp(join(tmpdir(), "agnes-bench-lookup-"));
try {
  const config = { version: 1 as const, sources: { shop: { plugin: "shop" } } };
  const options = { plugins: [plugin], workspace: directory, config };
  await using agnes = await createAgnes(options);
  await agnes.sync();
  await using isolated = await createAgnes({ ...options, isolation: "process" });
  const ways: Readonly<Record<string, Lookup>> = {
    bare: await bareLookup(await partIn(agnes.workspace.dataDirectory)),
    session: () => agnes.rows(SQL),
    workers: () => isolated.rows(SQL),
  };
  for (const lookup of Object.values(ways)) await rate(lookup, 4);
  console.log("callers  DuckDB alone/s  session/s  ratio  workers/s  ratio");
  for (const callers of [1, 16]) {
    const rates = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round += 1)
      for (const [name, lookup] of Object.entries(ways)) rates.get(name)!.push(await rate(lookup, callers));
    const median = (name: string) => rates.get(name)!.toSorted((a, b) => a - b)[Math.floor(rounds / 2)]!;
    const [bare, session, workers] = ["bare", "session", "workers"].map(median) as [number, number, number];
    const cells = [callers, bare.toFixed(0), session.toFixed(0), (session / bare).toFixed(2)];
    cells.push(workers.toFixed(0), (workers / bare).toFixed(2));
    console.log(cells.map((cell, at) => String(cell).padStart([7, 15, 10, 6, 10, 6][at]!)).join(" "));
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
