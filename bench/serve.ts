/**
 * Lookups of 20 rows over HTTP, against a bare handler that runs the same SQL on one DuckDB in the same runtime, in turns.
 * Then mixed requests of 64 clients for some minutes, with the resident memory of the server and its workers.
 *
 *     npx bun bench/serve.ts [--rounds N] [--seconds N] [--load-minutes N]
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { residentBytes } from "../lib/base/mod.ts";
import { createAgnes } from "../lib/mod.ts";
import files from "../plugins/files/plugin.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    "load-minutes": { type: "string", default: "0" },
  },
});
const [rounds, seconds, loadMinutes] = [values.rounds, values.seconds, values["load-minutes"]].map(
  Number,
) as [number, number, number];

const SQL = "SELECT id, customer, amount FROM orders WHERE id BETWEEN 100 AND 119 ORDER BY id";

/** A handler with one DuckDB, one connection for each request that runs. */
const BARE = `
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:");
  const setup = await instance.connect();
  await setup.run(process.argv.at(-1));
  const free = [];
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", development: false, async fetch(request) {
    const { sql } = await request.json();
    const connection = free.pop() ?? (await instance.connect());
    const rows = await connection.runAndReadAll(sql);
    free.push(connection);
    return Response.json(rows.getRowObjectsJson());
  } });
  console.log(JSON.stringify({ url: String(server.url) }));
`;

interface Started {
  readonly url: string;
  readonly child: ChildProcess;
}

/** Starts a server that prints its address as JSON. */
async function start(args: readonly string[], directory: string): Promise<Started> {
  const child = spawn(process.execPath, args, { cwd: directory, stdio: ["ignore", "pipe", "ignore"] });
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += String(bytes);
      const line = text.split("\n")[0]!;
      if (text.includes("\n")) resolve((JSON.parse(line) as { url: string }).url);
    });
    child.on("exit", (code) => reject(new Error(`a server ended with ${code}`)));
  });
  return { url, child };
}

type Call = () => Promise<Response>;

/** Requests in a row by several clients. @returns requests per second, and their latencies in milliseconds, sorted */
async function rate(call: Call, clients: number, lengthMs: number) {
  const latencies: number[] = [];
  const startMs = performance.now();
  const client = async () => {
    for (let now = startMs; now - startMs < lengthMs;) {
      const response = await call();
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`a request got ${response.status}`);
      const end = performance.now();
      latencies.push(end - now);
      now = end;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const perSecond = (latencies.length / (performance.now() - startMs)) * 1000;
  return { perSecond, latencies: latencies.toSorted((a, b) => a - b) };
}

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

async function compare(bare: Call, served: Call): Promise<void> {
  console.log("clients  bare/s  served/s  ratio  (at least 0.7)  served, 99 % of the latencies in ms");
  for (const clients of [16, 64]) {
    const [bares, serveds, p99s]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round += 1) {
      bares.push((await rate(bare, clients, seconds * 1000)).perSecond);
      const { perSecond, latencies } = await rate(served, clients, seconds * 1000);
      serveds.push(perSecond);
      p99s.push(latencies[Math.floor(latencies.length * 0.99)]!);
    }
    const [b, s] = [median(bares), median(serveds)];
    console.log(
      `${clients}  ${b.toFixed(0)}  ${s.toFixed(0)}  ${(s / b).toFixed(2)}  ${median(p99s).toFixed(0)}`,
    );
  }
}

/** Mixed requests for some minutes. Prints the statuses and the memory at each minute. */
async function load(url: string, tokens: readonly string[], pid: number): Promise<void> {
  const headersOf = (token: string) => ({
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
  });
  const query = (sql: string, format: string) => (token: string) =>
    fetch(new URL(`api/query?format=${format}`, url), {
      method: "POST",
      headers: headersOf(token),
      body: JSON.stringify({ sql }),
    });
  const get = (path: string) => (token: string) => fetch(new URL(path, url), { headers: headersOf(token) });
  const calls: readonly ((token: string) => Promise<Response>)[] = [
    query(SQL, "json"),
    query("SELECT customer, sum(amount) AS total FROM orders GROUP BY ALL ORDER BY 1", "csv"),
    query("SELECT * FROM orders", "arrow"),
    query("SELECT * FROM missing", "json"),
    get("api/v2/catalog"),
    get("api/v2/schema/orders"),
    get("api/v2/sample/orders"),
    get("api/health"),
  ];
  const statuses = new Map<number, number>();
  const endMs = performance.now() + loadMinutes * 60_000;
  const client = async (at: number) => {
    for (let turn = at; performance.now() < endMs; turn += 1) {
      const response = await calls[turn % calls.length]!(tokens[at % tokens.length]!);
      await response.arrayBuffer();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    }
  };
  const watch = async () => {
    for (let minute = 0; minute <= loadMinutes; minute += 1) {
      const memory = (await residentBytes([pid])).get(pid) ?? 0;
      console.log(`minute ${minute}: ${(memory / 1e6).toFixed(0)} MB of the server`);
      if (minute < loadMinutes) await Bun.sleep(60_000);
    }
  };
  await Promise.all([watch(), ...Array.from({ length: 64 }, (_, at) => client(at))]);
  console.log("responses by status:", Object.fromEntries(statuses));
}

const directory = await mkdtemp(join(tmpdir(), "agnes-bench-serve-"));
const children: ChildProcess[] = [];
try {
  const rows = Array.from({ length: 10_000 }, (_, id) => `${id},c${id % 97},${id / 4}`);
  await writeFile(join(directory, "orders.csv"), `id,customer,amount\n${rows.join("\n")}\n`);
  await writeFile(
    join(directory, "agnes.yaml"),
    "version: 1\nsources:\n  shop: { plugin: files, options: { path: orders.csv } }\n",
  );
  const tokens: string[] = [];
  let view = "";
  {
    await using agnes = await createAgnes({ plugins: [files], workspace: directory });
    await agnes.sync();
    // Of one token, only some queries may wait.
    const store = await agnes.tokens();
    for (let at = 0; at < 8; at += 1)
      tokens.push((await store.create({ name: `bench ${at}`, role: "analyst" })).token);
    const pattern = join(agnes.workspace.dataDirectory, "extracts/shop/data/orders/*.parquet");
    view = `CREATE VIEW orders AS SELECT * FROM read_parquet('${pattern}')`;
  }
  const root = join(import.meta.dir, "..");
  const bare = await start(["-e", BARE, view], root);
  children.push(bare.child);
  const served = await start([join(root, "cmd/main.ts"), "serve", "--port", "0", "--json"], directory);
  children.push(served.child);
  const post = (url: string, path: string): Call => {
    let turn = 0;
    const headers = () => ({
      authorization: `Bearer ${tokens[turn++ % tokens.length]}`,
      "content-type": "application/json",
    });
    return () =>
      fetch(new URL(path, url), { headers: headers(), method: "POST", body: JSON.stringify({ sql: SQL }) });
  };
  await compare(post(bare.url, ""), post(served.url, "api/query"));
  if (loadMinutes > 0) await load(served.url, tokens, served.child.pid!);
} finally {
  for (const child of children) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
}
