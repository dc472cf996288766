import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";

import { encodeResult } from "../../lib/duckdb/mod.ts";
import { createAgnes, type Agnes } from "../../lib/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { ROOT } from "../../tools/source.ts";
import { workersOf } from "../query/workers/isolated.ts";

/** What no client may ever see: in a file, in the environment of the server, and in a table without a grant. */
export const CANARIES = {
  file: "c4nary-in-a-file",
  variable: "c4nary-in-the-environment",
  table: "c4nary-in-a-table",
} as const;
export const CANARY = /c4nary/;

const ORDERS = 20_000;

/** The rows of the tables `orders` and `customers`, as SQL. */
export const SHOP = {
  orders: `SELECT range AS id, range % 7 AS customer, 'o' || range AS label, (range % 1000) / 4 AS price,
    DATE '2026-01-01' + (range % 365)::INTEGER AS day FROM range(${ORDERS})`,
  customers: "SELECT range AS id, 'c' || range AS name FROM range(7)",
} as const;

/** A workspace on disk whose server runs as a process of its own. */
export interface ServedShop extends AsyncDisposable {
  readonly path: string;
  /** Tokens of two analysts, who may see the source `shop` only. */
  readonly tokens: { readonly mallory: string; readonly ann: string };
  /** Another token with the same grants. */
  token(name: string): Promise<string>;
  /** The hash of each file that no query may change, by its path. */
  hashes(): Readonly<Record<string, string>>;
}

/** Makes a workspace: `shop` is granted to the tokens, `vault` is not. */
export async function makeShop(server: object = {}): Promise<ServedShop> {
  const path = mkdtempSync(join(tmpdir(), "agnes-served-"));
  for (const folder of ["shop", "vault", "tmp"]) mkdirSync(join(path, folder));
  const sources = {
    shop: { plugin: "files", options: { path: "./shop" } },
    vault: { plugin: "files", options: { path: "./vault" } },
  };
  const config = { version: 1 as const, limits: { memoryMb: 256 }, server, sources };
  writeFileSync(join(path, "agnes.yaml"), JSON.stringify(config));
  writeFileSync(join(path, "secret.csv"), `a,b\n${CANARIES.file},2\n`);
  writeFileSync(join(path, "vault", "safe.csv"), `id,text\n1,${CANARIES.table}\n`);
  await withAgnes(path, async (agnes) => {
    for (const [name, sql] of Object.entries(SHOP)) {
      const chunks: Uint8Array[] = [];
      const result = await agnes.query(sql, { trusted: true });
      for await (const chunk of encodeResult(result, "parquet")) chunks.push(chunk);
      writeFileSync(join(path, "shop", `${name}.parquet`), Buffer.concat(chunks));
    }
    await agnes.sync();
  });
  writeFileSync(join(path, "data", "secret.csv"), `a,b\n${CANARIES.file},2\n`);
  const token = (name: string) =>
    withAgnes(path, async (agnes) => {
      const tokens = await agnes.tokens();
      return (
        await tokens.create({ name, role: "analyst", grants: { tables: [], sources: ["shop"], folders: [] } })
      ).token;
    });
  return {
    path,
    tokens: { mallory: await token("mallory"), ann: await token("ann") },
    token,
    hashes: () => hashesOf(path),
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

async function withAgnes<T>(path: string, work: (agnes: Agnes) => Promise<T>): Promise<T> {
  await using agnes = await createAgnes({ plugins: [files], workspace: path });
  return await work(agnes);
}

/** The server records the last use of tokens and the health of sources, opens its catalogs, takes the lease of schedules, and has temporary files. */
const CHANGES = /^(?:data\/state\/(?:token|metadata|health)|data\/running\/\.scheduler\.lock|tmp\/)/;

function hashesOf(path: string): Record<string, string> {
  const hashes: Record<string, string> = {};
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const name = relative(path, file);
    if (CHANGES.test(name)) continue;
    hashes[name] = entry.isFile() ? createHash("sha256").update(readFileSync(file)).digest("hex") : "folder";
  }
  return hashes;
}

/** A running `agnes serve`. */
export interface RunningServer extends AsyncDisposable {
  readonly child: Bun.Subprocess;
  readonly url: string;
  readonly port: number;
  /** The process ids of its workers. */
  workers(): readonly number[];
  /** Asks for rows as the owner of a token. */
  query(
    token: string,
    body: object,
    init?: { readonly search?: string; readonly id?: string },
  ): Promise<Response>;
  post(token: string, path: string, body: object): Promise<Response>;
}

/** Starts the server of a workspace, and waits until it listens. @param prefix what runs before it, such as `sh` */
export async function startServer(path: string, prefix: readonly string[] = []): Promise<RunningServer> {
  const child = spawnServer(path, prefix);
  const { url, port } = await listening(child);
  const send = (token: string, route: string, body: object, headers: Record<string, string> = {}) =>
    fetch(`${url}${route}`, {
      method: "POST",
      headers: { ...headersOf(token), ...headers },
      body: JSON.stringify(body),
    });
  return {
    child,
    url,
    port,
    workers: () => workersOf(child.pid),
    query: (token, body, { search = "", id } = {}) =>
      send(token, `/api/query${search}`, body, id === undefined ? {} : { "x-agnes-query-id": id }),
    post: send,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Starts the process of a server. */
export function spawnServer(path: string, prefix: readonly string[] = []) {
  const command = [process.execPath, join(ROOT, "cmd/main.ts"), "serve", "--port", "0", "--json"];
  return Bun.spawn([...prefix, ...command], {
    cwd: path,
    stdin: "ignore",
    stdout: "pipe",
    stderr: Bun.file(join(path, "tmp", "server.log")),
    env: {
      HOME: process.env["HOME"] ?? tmpdir(),
      PATH: process.env["PATH"] ?? "",
      TMPDIR: join(path, "tmp"),
      AGNES_TEST_CANARY: CANARIES.variable,
    },
  });
}

/** What a server prints once it listens. @throws if it ends before */
export async function listening(child: {
  readonly stdout: ReadableStream<Uint8Array>;
}): Promise<{ readonly url: string; readonly port: number }> {
  let text = "";
  for await (const bytes of child.stdout) {
    text += Buffer.from(bytes).toString();
    if (text.includes("\n")) return JSON.parse(text) as { url: string; port: number };
  }
  throw new Error("the server ended before it listened");
}

export function headersOf(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}`, "content-type": "application/json" };
}

/** The private memory of a server and its workers, in MB, as it was at its highest. */
export function watchMemory(server: RunningServer): { stop(): Peak } {
  const peak = { parent: 0, worker: 0, all: 0 };
  let pids = server.workers();
  // Finding the workers takes longer than looking at them.
  const finding = setInterval(() => (pids = server.workers()), 500);
  const looking = setInterval(() => {
    const parent = privateMb(server.child.pid);
    const workers = pids.map(privateMb);
    peak.parent = Math.max(peak.parent, parent);
    peak.worker = Math.max(peak.worker, ...workers);
    peak.all = Math.max(
      peak.all,
      workers.reduce((sum, one) => sum + one, parent),
    );
  }, 25);
  return {
    stop() {
      clearInterval(finding);
      clearInterval(looking);
      const { parent, worker, all } = peak;
      return { parent: Math.round(parent), worker: Math.round(worker), all: Math.round(all) };
    },
  };
}

/** The memory of the server, of its largest worker, and of all processes together. */
interface Peak {
  readonly parent: number;
  readonly worker: number;
  readonly all: number;
}

function privateMb(pid: number): number {
  try {
    const [, resident, shared] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ").map(Number);
    return ((resident! - shared!) * 4096) / 1e6;
  } catch {
    return 0;
  }
}

/** The times of lookups, in milliseconds. */
export interface LookupTimes {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** What was not the right response. */
  readonly wrong: readonly string[];
  /** The time of the processor that the process used. */
  readonly cpuMs: number;
}

/** Asks for 20 rows all the while, from a process of its own. */
export function askLookups(server: RunningServer, token: string): { stop(): Promise<Lookups> } {
  const script = join(import.meta.dir, "serve-lookups-child.ts");
  const child = Bun.spawn([process.execPath, script, server.url, token], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const start = { allMs: busyMs(), ownMs: ownMs(server), ms: performance.now() };
  return {
    async stop() {
      const passedMs = (performance.now() - start.ms) * availableParallelism();
      const others = busyMs() - start.allMs - (ownMs(server) - start.ownMs);
      await child.stdin.end();
      const times = JSON.parse(await new Response(child.stdout).text()) as LookupTimes;
      return { ...times, othersPart: Math.max(0, (others - times.cpuMs) / passedMs) };
    },
  };
}

/** The times, and the part of the processors that other programs than the server and its test used. */
export interface Lookups extends LookupTimes {
  readonly othersPart: number;
}

const TICK_MS = 10;

/** The time that all processors were busy. */
function busyMs(): number {
  const [, user, nice, system, , , irq, soft] = readFileSync("/proc/stat", "utf8").split(/\s+/).map(Number);
  return (user! + nice! + system! + irq! + soft!) * TICK_MS;
}

/** The time that the server, its workers past and present, and this process used. */
function ownMs(server: RunningServer): number {
  const ticks = (pid: number, count: number) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      return fields.slice(11, 11 + count).reduce((sum, one) => sum + one, 0);
    } catch {
      return 0;
    }
  };
  const ended = ticks(server.child.pid, 4);
  const { user, system } = process.cpuUsage();
  const running = server.workers().reduce((sum, pid) => sum + ticks(pid, 2), ended);
  return running * TICK_MS + (user + system) / 1000;
}

/** The highest p99 of lookups, if this machine does nothing else, and if other programs keep it busy. */
const P99_MS_MAX = 250;
const P99_BUSY_MS_MAX = 5000;
const OTHERS_MAX = 0.1;

/** Prints the times of lookups, and checks them. */
export function expectPrompt({ count, p50, p99, max, wrong, othersPart }: Lookups): void {
  const others = `other programs used ${Math.round(100 * othersPart)} % of the processors`;
  report(`${count} lookups: p50 ${p50} ms, p99 ${p99} ms, highest ${max} ms; ${others}`);
  expect(wrong).toEqual([]);
  expect(count).toBeGreaterThan(0);
  expect(p99).toBeLessThan(othersPart > OTHERS_MAX ? P99_BUSY_MS_MAX : P99_MS_MAX);
}

/** Prints a measured value. */
export function report(text: string): void {
  process.stderr.write(`  ${text}\n`);
}
