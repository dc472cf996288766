/**
 * What a lookup of 20 rows costs: through a session in this process, and in worker processes, against DuckDB alone, which
 * runs the same SQL over the same file and writes the same JSON. They alternate in rounds. The processor time is that of all
 * processes, and depends less on other programs of the machine than the rate.
 *
 *     npx bun bench/lookup.ts [--rounds N] [--lookups N]
 */
import { readdirSync, readFileSync } from "node:fs";
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

/** What one round measured. */
interface Round {
  /** Lookups per second. */
  readonly rate: number;
  /** The processor time of one lookup in milliseconds, in this process and its worker processes. */
  readonly cpuMs: number;
}

/** Runs lookups by several callers at once. */
async function round(lookup: Lookup, callers: number): Promise<Round> {
  let left = lookups;
  const [startMs, startCpuMs] = [performance.now(), cpuMs()];
  const call = async () => {
    while (left-- > 0) await lookup();
  };
  await Promise.all(Array.from({ length: callers }, call));
  const rate = (lookups / (performance.now() - startMs)) * 1000;
  return { rate, cpuMs: (cpuMs() - startCpuMs) / lookups };
}

/** A tick of `/proc/<pid>/stat`, in milliseconds. */
const TICK_MS = 10;

/** The processor time of this process and, on Linux, of its children, in milliseconds. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  let totalMs = (user + system) / 1000;
  if (process.platform !== "linux") return totalMs;
  for (const task of readdirSync("/proc/self/task")) {
    const children = readFileSync(`/proc/self/task/${task}/children`, "utf8").trim();
    for (const pid of children === "" ? [] : children.split(" ")) {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
      totalMs += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    }
  }
  return totalMs;
}

/** DuckDB alone, with one connection for each caller. */
async function bareLookup(part: string): Promise<Lookup> {
  const instance = await DuckDBInstance.create(":memory:");
  const setup = await instance.connect();
  await setup.run(`CREATE VIEW orders AS SELECT * FROM read_parquet('${part}')`);
  const free = await Promise.all(Array.from({ length: 64 }, () => instance.connect()));
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
  for (const lookup of Object.values(ways)) await round(lookup, 4);
  console.log("callers  way          lookups/s  ratio  processor ms/lookup  ratio");
  for (const callers of [1, 16, 64]) {
    const measured = new Map(Object.keys(ways).map((name) => [name, [] as Round[]]));
    for (let n = 0; n < rounds; n += 1)
      for (const [name, lookup] of Object.entries(ways))
        measured.get(name)!.push(await round(lookup, callers));
    const median = (name: string, of: keyof Round) =>
      measured
        .get(name)!
        .map((one) => one[of])
        .toSorted((a, b) => a - b)[Math.floor(rounds / 2)]!;
    for (const name of Object.keys(ways)) {
      const [rate, cpu] = [median(name, "rate"), median(name, "cpuMs")];
      const ratios = [rate / median("bare", "rate"), median("bare", "cpuMs") / cpu];
      const cells = [rate.toFixed(0), ratios[0]!.toFixed(2), cpu.toFixed(2), ratios[1]!.toFixed(2)];
      const texts = cells.map((cell, at) => cell.padStart([9, 5, 19, 5][at]!));
      console.log(`${String(callers).padStart(7)}  ${name.padEnd(11)}  ${texts.join("  ")}`);
    }
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
