/**
 * Lookups of 20 rows over HTTP, against a bare handler that runs the same SQL on one DuckDB in the same runtime, in turns.
 * Then the rows of a large table in each format, against DuckDB's own scan to Arrow record batches, in Python. Then mixed
 * requests of 64 clients for some minutes, with the resident memory of the server. The processor time is that of a server
 * and its workers.
 *
 *     npx bun bench/serve.ts [--rounds N] [--seconds N] [--warm-up-seconds N] [--export-rows N] [--load-minutes N]
 *
 * `--export-rows 0` skips the formats.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { openDatabase, quoteLiteral } from "../lib/duckdb/mod.ts";
import { createAgnes } from "../lib/mod.ts";
import files from "../plugins/files/plugin.ts";
import { pythonWith, run } from "../tests/full/python.ts";
import { memoryMb } from "./process-memory.ts";
import { processTimeMs } from "./process-time.ts";
import { load, ordersCsv } from "./serve-load.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    "warm-up-seconds": { type: "string", default: "30" },
    "export-rows": { type: "string", default: "5000000" },
    "load-minutes": { type: "string", default: "0" },
  },
});
const { rounds: roundsText, seconds: secondsText } = values;
const [rounds, seconds] = [Number(roundsText), Number(secondsText)];
const warmUpSeconds = Number(values["warm-up-seconds"]);
const [exportRows, loadMinutes] = [Number(values["export-rows"]), Number(values["load-minutes"])];

const SQL = "SELECT id, customer, amount FROM orders WHERE id BETWEEN 100 AND 119 ORDER BY id";

const EXPORT = "SELECT id, customer, amount FROM large";

/** DuckDB in the version of `@duckdb/node-api`. */
const PYTHON = ["duckdb==1.5.5", "pyarrow==26.0.1"];

/** A handler with one DuckDB, one connection for each request that runs. With ?scan, it only counts the rows. */
const BARE = `
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const instance = await DuckDBInstance.create(":memory:");
  const setup = await instance.connect();
  await setup.run(process.argv.at(-1));
  const free = [];
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", development: false, idleTimeout: 0, async fetch(request) {
    const { sql } = await request.json();
    const connection = free.pop() ?? (await instance.connect());
    if (request.url.endsWith("?scan")) {
      const result = await connection.stream(sql);
      let count = 0;
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return Response.json({ count });
        count += chunk.rowCount;
      }
    }
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
  const child = spawn(process.execPath, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  // A query that fails after its first bytes, for example because of a timeout, only breaks the connection.
  createInterface(child.stderr).on("line", (line) => {
    if (line.includes('"errorCode":"') && !line.includes('"table_unknown"')) console.error(line);
  });
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

/** A server to measure. */
interface Side {
  readonly call: Call;
  readonly pid: number;
}

async function measured({ call, pid }: Side, clients: number, lengthSeconds = seconds) {
  const beforeMs = processTimeMs(pid);
  const { perSecond, latencies } = await rate(call, clients, lengthSeconds * 1000);
  const cpuMs = (processTimeMs(pid) - beforeMs) / latencies.length;
  return { perSecond, cpuMs, p99Ms: latencies[Math.floor(latencies.length * 0.99)]! };
}

async function compare(bare: Side, served: Side): Promise<void> {
  console.log("clients  bare/s  served/s  ratio  bare ms  served ms of processor time  ratio  99 % in ms");
  // Before that, the code of the workers is not compiled: each has a quarter of the requests.
  for (const side of [bare, served]) await measured(side, 16, warmUpSeconds);
  for (const clients of [16, 64]) {
    const [bares, serveds]: Awaited<ReturnType<typeof measured>>[][] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      bares!.push(await measured(bare, clients));
      serveds!.push(await measured(served, clients));
    }
    const of = (side: typeof bares, key: "perSecond" | "cpuMs" | "p99Ms") =>
      median(side!.map((one) => one[key]));
    const [b, s] = [of(bares, "perSecond"), of(serveds, "perSecond")];
    const [bareMs, servedMs] = [of(bares, "cpuMs"), of(serveds, "cpuMs")];
    const cells = [b.toFixed(0), s.toFixed(0), (s / b).toFixed(2), bareMs.toFixed(2), servedMs.toFixed(2)];
    cells.push((bareMs / servedMs).toFixed(2), of(serveds, "p99Ms").toFixed(0));
    console.log(`${clients}  ${cells.join("  ")}`);
  }
}

/** Reads all bytes of a response. @returns its time, its processor time, its size, and the peak memory of the server */
async function exported(call: Call, pid: number) {
  const peak = { server: 0, workers: 0 };
  const watch = setInterval(() => {
    void memoryMb(pid).then(({ server, workers }) => {
      peak.server = Math.max(peak.server, server);
      peak.workers = Math.max(peak.workers, workers);
    });
  }, 50);
  try {
    const [startMs, beforeMs] = [performance.now(), processTimeMs(pid)];
    const response = await call();
    if (response.status !== 200) throw new Error(`an export got ${response.status}`);
    let bytes = 0;
    for await (const piece of response.body!) bytes += piece.length;
    return { ms: performance.now() - startMs, cpuMs: processTimeMs(pid) - beforeMs, bytes, peak };
  } finally {
    clearInterval(watch);
  }
}

/** What a scan took. */
interface Scan {
  readonly ms: number;
  readonly cpuMs: number;
}

/** Reads all rows as Arrow record batches, which DuckDB converts itself. @param threads 0: DuckDB's default */
function arrowScan(views: string, threads: number): Scan {
  const script = join(import.meta.dir, "arrow-scan.py");
  const scan = JSON.parse(run(pythonWith(PYTHON), [script, views, EXPORT, String(threads)])) as Scan & {
    readonly rows: number;
  };
  if (scan.rows !== exportRows) throw new Error(`the scan returned ${scan.rows} rows`);
  return scan;
}

async function exportAll(
  scans: Readonly<Record<string, () => Promise<Scan>>>,
  served: (format: string, limit: number) => Side,
): Promise<void> {
  const formats = ["arrow", "csv", "ndjson"];
  const taken = new Map<string, Scan[]>([...Object.keys(scans), ...formats].map((name) => [name, []]));
  const sizes = new Map<string, string>();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, scan] of Object.entries(scans)) taken.get(name)!.push(await scan());
    for (const format of formats) {
      // The memory of all rows must not be more than that of a fifth of them.
      for (const rows of [Math.ceil(exportRows / 5), exportRows]) {
        const { call, pid } = served(format, rows);
        const { bytes, peak, ...scan } = await exported(call, pid);
        if (rows === exportRows) taken.get(format)!.push(scan);
        const cells = [bytes / 1e6, peak.server, peak.workers].map((size) => size.toFixed(0));
        sizes.set(`${format} ${rows}`, cells.join("  "));
      }
    }
  }
  const of = (name: string, key: keyof Scan) => median(taken.get(name)!.map((one) => one[key]));
  const [base] = Object.keys(scans);
  console.log(`${exportRows} rows  ms  ratio to ${base}  ms of processor time  ratio`);
  for (const name of taken.keys()) {
    const cells = (["ms", "cpuMs"] as const).flatMap((key) => [
      of(name, key).toFixed(0),
      (of(base!, key) / of(name, key)).toFixed(2),
    ]);
    console.log(`${name}  ${cells.join("  ")}`);
  }
  console.log("format rows  MB  MB server  MB workers");
  for (const [name, cells] of sizes) console.log(`${name}  ${cells}`);
}

async function writeLarge(path: string): Promise<void> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  await connection.run(
    `COPY (SELECT range AS id, 'c' || (range % 997) AS customer, range / 4 AS amount FROM range(${exportRows}))
     TO ${quoteLiteral(path)} (FORMAT parquet)`,
  );
}

const directory = await mkdtemp(join(tmpdir(), "agnes-bench-serve-"));
const children: ChildProcess[] = [];
try {
  const ordersPath = join(directory, "orders.csv");
  await writeFile(ordersPath, ordersCsv(0));
  await writeLarge(join(directory, "large.parquet"));
  await writeFile(
    join(directory, "agnes.yaml"),
    `version: 1
server: { maxRows: ${Math.max(exportRows, 1_000_000)}, maxResultBytes: 10000000000, queryTimeoutMs: 600000 }
sources:
  shop: { plugin: files, options: { path: orders.csv } }
  warehouse: { plugin: files, options: { path: large.parquet } }
`,
  );
  const tokens: string[] = [];
  let adminToken = "";
  let view = "";
  {
    await using agnes = await createAgnes({ plugins: [files], workspace: directory });
    await agnes.sync();
    // Of one token, only some queries may wait.
    const store = await agnes.tokens();
    for (let at = 0; at < 8; at += 1)
      tokens.push((await store.create({ name: `bench ${at}`, role: "analyst" })).token);
    adminToken = (await store.create({ name: "bench admin", role: "admin" })).token;
    const parts = (source: string, table: string) =>
      join(agnes.workspace.dataDirectory, `extracts/${source}/data/${table}/*.parquet`);
    view = `CREATE VIEW orders AS SELECT * FROM read_parquet('${parts("shop", "orders")}');
      CREATE VIEW large AS SELECT * FROM read_parquet('${parts("warehouse", "large")}')`;
  }
  const root = join(import.meta.dir, "..");
  const bare = await start(["-e", BARE, view], root);
  children.push(bare.child);
  const served = await start([join(root, "cmd/main.ts"), "serve", "--port", "0", "--json"], directory);
  children.push(served.child);
  const post = (url: string, path: string, body: unknown = { sql: SQL }): Call => {
    let turn = 0;
    const headers = () => ({
      authorization: `Bearer ${tokens[turn++ % tokens.length]}`,
      "content-type": "application/json",
    });
    return () =>
      fetch(new URL(path, url), { headers: headers(), method: "POST", body: JSON.stringify(body) });
  };
  const [barePid, servedPid] = [bare.child.pid!, served.child.pid!];
  await compare(
    { call: post(bare.url, ""), pid: barePid },
    { call: post(served.url, "api/query"), pid: servedPid },
  );
  if (exportRows > 0)
    await exportAll(
      {
        "DuckDB to Arrow": async () => arrowScan(view, 0),
        "DuckDB to Arrow, one thread": async () => arrowScan(view, 1),
        // Through the bindings, as Agnes, but its rows stay in the vectors of DuckDB.
        "DuckDB without conversion": () => exported(post(bare.url, "?scan", { sql: EXPORT }), barePid),
      },
      (format, limit) => ({
        call: post(served.url, `api/query?format=${format}`, { sql: EXPORT, limit }),
        pid: servedPid,
      }),
    );
  if (loadMinutes > 0)
    await load({ url: served.url, pid: servedPid, tokens, adminToken, ordersPath, sql: SQL }, loadMinutes);
} finally {
  for (const child of children) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
}
