import { expect } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { createAgnes } from "../../lib/create-agnes.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import files from "../../plugins/files/plugin.ts";
import { distribute, TOKEN, type Distribution } from "./distribution.ts";

const CHILD = join(import.meta.dir, "kill-child.ts");

/**
 * Kills pulls at random moments while the server changes some tables before each. After each kill the copy has only whole
 * tables of one generation. Parts that were on the disk are not downloaded again. Several copies are pulled at once.
 */
export async function killPulls(options: {
  readonly tables: number;
  readonly kills: number;
  readonly seed: number;
  /** Default: 1. */
  readonly copies?: number;
}) {
  const { tables, kills, seed, copies: count = 1 } = options;
  const random = seededRandom(seed);
  const root = await mkdtemp(join(tmpdir(), "agnes-kills-"));
  const exports = join(root, "exports");
  await mkdir(exports);
  const names = Array.from({ length: tables }, (_, index) => `t${index}`);
  /** All rows of a generation of a table have its number. */
  const write = async (name: string, generation: number) => {
    const rows = Array.from({ length: 50 }, (_, id) => `${id},${generation}`);
    await writeFile(join(exports, `${name}.csv`), `id,generation\n${rows.join("\n")}\n`);
  };
  for (const name of names) await write(name, 0);
  const server = await createAgnes({
    plugins: [files],
    workspace: join(root, "server"),
    config: { version: 1, sources: { shop: { plugin: "files", options: { path: exports } } } },
  });
  await server.sync();
  const copies = Array.from(
    { length: count },
    (_, at) => new KilledCopy(join(root, `copy-${at}`), server, names, seededRandom(seed + at)),
  );
  const killed = () => copies.reduce((sum, copy) => sum + copy.killed, 0);
  try {
    for (const copy of copies) await copy.begin();
    for (let round = 1; killed() < kills; round++) {
      for (const name of names) if (random() < 0.1) await write(name, round);
      await server.sync();
      await Promise.all(copies.map((copy) => copy.round(`seed ${seed}, round ${round}`)));
    }
    const sum = (key: "killed" | "done") => copies.reduce((total, copy) => total + copy[key], 0);
    return {
      killed: sum("killed"),
      done: sum("done"),
      mostSent: Math.max(...copies.flatMap(({ sent }) => [...sent.values()])),
    };
  } finally {
    for (const copy of copies) await copy.distribution[Symbol.asyncDispose]();
    await server.close();
    await rm(root, { recursive: true, force: true });
  }
}

/** A copy whose pulls are killed. */
class KilledCopy {
  readonly #folder: string;
  readonly #server: Agnes;
  readonly #names: readonly string[];
  readonly #random: () => number;
  readonly distribution: Distribution;
  /** The parts that arrived as a whole, each of which must be sent once. */
  readonly sent = new Map<string, number>();
  #wholeMs = 0;
  killed = 0;
  done = 0;

  constructor(folder: string, server: Agnes, names: readonly string[], random: () => number) {
    this.#folder = folder;
    this.#server = server;
    this.#names = names;
    this.#random = random;
    this.distribution = distribute(server);
  }

  async begin(): Promise<void> {
    this.#wholeMs = (await pullOnce(this.#folder, this.distribution, Number.POSITIVE_INFINITY))!;
  }

  async round(what: string): Promise<void> {
    const { distribution, sent } = this;
    // Several pulls are killed before one completes.
    for (let attempt = 0; attempt < 4; attempt++) {
      distribution.requests.length = 0;
      const tookMs = await pullOnce(this.#folder, distribution, this.#random() * this.#wholeMs);
      if (tookMs === null) this.killed += 1;
      else this.done += 1;
      countSent(sent, distribution);
      await checkCopy(this.#folder, this.#names, what);
    }
    const tookMs = await pullOnce(this.#folder, distribution, Number.POSITIVE_INFINITY);
    this.#wholeMs = (this.#wholeMs + tookMs!) / 2;
    countSent(sent, distribution);
    await checkSame(this.#folder, this.#server, this.#names);
    distribution.requests.length = 0;
    await pullOnce(this.#folder, distribution, Number.POSITIVE_INFINITY);
    expect(distribution.requests).toEqual(["GET /api/sync/manifest 304"]);
  }
}

function countSent(sent: Map<string, number>, { requests }: Distribution): void {
  for (const line of requests) {
    const path = /\/download\?(\S+) 200$/.exec(line)?.[1];
    if (path !== undefined) sent.set(path, (sent.get(path) ?? 0) + 1);
  }
  requests.length = 0;
}

/** Pulls in a process that is killed after a time. Returns how long it took; null: it was killed. */
async function pullOnce(
  copy: string,
  { address }: Distribution,
  killAfterMs: number,
): Promise<number | null> {
  await mkdir(copy, { recursive: true });
  const start = performance.now();
  const child = Bun.spawn([process.execPath, CHILD, copy, address, TOKEN], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = Number.isFinite(killAfterMs)
    ? setTimeout(() => child.kill("SIGKILL"), killAfterMs)
    : undefined;
  const [output, complaint] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  clearTimeout(timer);
  if (child.signalCode === "SIGKILL") return null;
  expect([output, complaint]).toEqual(["done complete\n", ""]);
  return performance.now() - start;
}

async function checkCopy(copy: string, names: readonly string[], what: string): Promise<void> {
  await using agnes = await createAgnes({ plugins: [], workspace: copy, config: { version: 1 } });
  const selects = names.map(
    (name) => `SELECT '${name}' AS name, count(*) AS n, count(DISTINCT generation) AS g FROM ${name}`,
  );
  const rows = await agnes.rows<{ name: string; n: number; g: number }>(selects.join(" UNION ALL "));
  expect([what, rows.filter(({ n, g }) => n !== 50 || g !== 1)]).toEqual([what, []]);
}

async function checkSame(copy: string, server: Agnes, names: readonly string[]): Promise<void> {
  await using agnes = await createAgnes({ plugins: [], workspace: copy, config: { version: 1 } });
  const sql = `${names.map((name) => `SELECT '${name}' AS name, any_value(generation) AS g FROM ${name}`).join(" UNION ALL ")} ORDER BY 1`;
  expect(await agnes.rows(sql)).toEqual(await server.rows(sql));
}
