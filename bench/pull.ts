/** A pull over loopback against `curl`, which downloads the same parts from the same server, four at once. */
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
  const began = performance.now();
  const { downloadedBytes, status } = await copy.pull({ server, token });
  console.log(JSON.stringify({ ms: performance.now() - began, downloadedBytes, status }));
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
    const ratios: number[] = [];
    const [curls, pulls]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      const curlMs = curl(join(root, `curl-${round}`), address, token, parts);
      const pulled = Bun.spawnSync([
        process.execPath,
        import.meta.path,
        "pull",
        join(root, `copy-${round}`),
        address,
        token,
      ]);
      const { ms } = JSON.parse(pulled.stdout.toString()) as { ms: number };
      curls.push(curlMs);
      pulls.push(ms);
      ratios.push(curlMs / ms);
      console.log(
        `curl ${curlMs.toFixed(0)} ms, pull ${ms.toFixed(0)} ms, ratio ${(curlMs / ms).toFixed(2)}`,
      );
      await rm(join(root, `curl-${round}`), { recursive: true });
      await rm(join(root, `copy-${round}`), { recursive: true });
    }
    const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
    console.log(
      `median: curl ${(median(curls) / 1000).toFixed(2)} s, pull ${(median(pulls) / 1000).toFixed(2)} s, ` +
        `ratio ${median(ratios).toFixed(2)} (target: at least 0.7)`,
    );
  } finally {
    child.kill();
    await rm(root, { recursive: true, force: true });
  }
}

function curl(
  directory: string,
  address: string,
  token: string,
  parts: readonly { readonly id: string; readonly path: string }[],
): number {
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
  const { exitCode } = Bun.spawnSync([...line, ...urls]);
  if (exitCode !== 0) throw new Error(`curl ended with ${exitCode}`);
  return performance.now() - began;
}
