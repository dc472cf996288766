/**
 * A pull over loopback against `curl`, which downloads the same parts from the same server, four at once. `--rows 6000000` has
 * 124 MB, `--rows 48000000` about 1 GB.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createAgnes } from "../lib/create-agnes.ts";
import { definePlugin, int64, table, utf8 } from "../lib/kit/mod.ts";
import * as v from "valibot";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rows: { type: "string", default: "6000000" }, rounds: { type: "string", default: "5" } },
});
const ROWS = Number(values.rows);
const TABLES = 4;
const BATCH = 50_000;
const ROUNDS = Number(values.rounds);

const numbers = definePlugin({
  name: "numbers",
  version: "1.0.0",
  description: "Random rows, which do not compress",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    async discover() {
      return Array.from({ length: TABLES }, (_, index) => table(`t${index}`, { id: int64(), text: utf8() }));
    },
    async *read() {
      for (let at = 0; at < ROWS / TABLES; at += BATCH)
        yield Array.from({ length: Math.min(BATCH, ROWS / TABLES - at) }, (_, index) => ({
          id: at + index,
          text: crypto.randomUUID(),
        }));
    },
  }),
});

interface Measured {
  readonly ms: number;
  readonly processorMs: number;
}

const [role, ...places] = positionals;
if (role === "serve") await serve(places[0]!);
else if (role === "pull") await pullOnce(places[0]!, places[1]!, places[2]!);
else await measure();

/** The server, in a process of its own. */
async function serve(workspace: string): Promise<void> {
  const config = { version: 1, sources: { bench: { plugin: "numbers" } } } as const;
  const agnes = await createAgnes({ plugins: [numbers], workspace, config });
  await agnes.sync();
  const { token } = await (await agnes.tokens()).create({ name: "bench", role: "admin" });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: (r) => agnes.fetch(r),
  });
  console.log(JSON.stringify({ address: `http://127.0.0.1:${server.port}`, token }));
}

async function pullOnce(workspace: string, server: string, token: string): Promise<void> {
  await using copy = await createAgnes({ plugins: [], workspace, config: { version: 1 } });
  const [began, before] = [performance.now(), process.cpuUsage()];
  const { status } = await copy.pull({ server, token });
  const { user, system } = process.cpuUsage(before);
  const result: Measured = { ms: performance.now() - began, processorMs: (user + system) / 1000 };
  if (status !== "complete") throw new Error(`the pull is ${status}`);
  console.log(JSON.stringify(result));
}

async function measure(): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "agnes-bench-pull-"));
  await mkdir(join(root, "server"));
  const child = Bun.spawn(
    [process.execPath, import.meta.path, "serve", join(root, "server"), "--rows", values.rows],
    {
      stdout: "pipe",
    },
  );
  try {
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const { address, token } = JSON.parse(new TextDecoder().decode(value)) as {
      address: string;
      token: string;
    };
    const headers = { authorization: `Bearer ${token}` };
    const manifest = (await (await fetch(`${address}/api/sync/manifest`, { headers })).json()) as {
      tables: Record<string, { parts: { path: string; size_bytes: number }[] }>;
    };
    const parts = Object.entries(manifest.tables).flatMap(([id, one]) =>
      one.parts.map(({ path, size_bytes }) => ({ id, path, size_bytes })),
    );
    const sizeMb = parts.reduce((sum, { size_bytes }) => sum + size_bytes, 0) / 1e6;
    console.log(`${parts.length} parts, ${sizeMb.toFixed(0)} MB`);
    const [curls, pulls]: [Measured[], Measured[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const copied = curl(join(root, `curl-${round}`), address, token, parts);
      const pulled = JSON.parse(
        Bun.spawnSync([
          process.execPath,
          import.meta.path,
          "pull",
          join(root, `copy-${round}`),
          address,
          token,
        ]).stdout.toString(),
      ) as Measured;
      curls.push(copied);
      pulls.push(pulled);
      console.log(
        `curl ${shown(copied)}, pull ${shown(pulled)}, ratio ${(copied.ms / pulled.ms).toFixed(2)}`,
      );
      await rm(join(root, `curl-${round}`), { recursive: true });
      await rm(join(root, `copy-${round}`), { recursive: true });
    }
    const [copied, pulled] = [medianOf(curls), medianOf(pulls)];
    const ratio = median(curls.map(({ ms }, round) => ms / pulls[round]!.ms)).toFixed(2);
    console.log(
      `median: curl ${shown(copied)}, pull ${shown(pulled)}, ratio ${ratio} (target: at least 0.7)`,
    );
  } finally {
    child.kill();
    await rm(root, { recursive: true, force: true });
  }
}

function shown({ ms, processorMs }: Measured): string {
  return `${(ms / 1000).toFixed(2)} s (processor time ${(processorMs / 1000).toFixed(2)} s)`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function medianOf(all: readonly Measured[]): Measured {
  return { ms: median(all.map(({ ms }) => ms)), processorMs: median(all.map((one) => one.processorMs)) };
}

function curl(
  directory: string,
  address: string,
  token: string,
  parts: readonly { readonly id: string; readonly path: string }[],
): Measured {
  const urls = parts.flatMap(({ id, path }, index) => [
    "-o",
    join(directory, `${index}.parquet`),
    `${address}/api/data/${id}/download?part=${encodeURIComponent(path)}`,
  ]);
  const line = [
    "curl",
    "-s",
    "--fail",
    "--create-dirs",
    "-Z",
    "--parallel-max",
    "4",
    "-H",
    `Authorization: Bearer ${token}`,
  ];
  const began = performance.now();
  const { exitCode, resourceUsage } = Bun.spawnSync([...line, ...urls]);
  if (exitCode !== 0) throw new Error(`curl ended with ${exitCode}`);
  return { ms: performance.now() - began, processorMs: Number(resourceUsage.cpuTime.total) / 1000 };
}
