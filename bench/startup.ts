/**
 * What starting costs: `npx bun bench/startup.ts [--runs N] [--compression-level N]`. Builds three executables and alternates between them.
 *
 * `agnes --help` against an empty compiled program, and `agnes query "select 1"` in a workspace against the
 * smallest compiled program that opens DuckDB and does it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { buildExecutable, hostPlatform, platforms } from "../cmd/build.ts";
import { findBindings } from "../cmd/native/embed-duckdb.ts";

const RATIO_MAX = 2.5;
const SMALLEST = `import { DuckDBInstance } from "@duckdb/node-api";
const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
const reader = await connection.runAndReadAll("select 1");
console.log(reader.getRows()[0]);
process.exit(0);
`;

const { values } = parseArgs({
  options: { runs: { type: "string", default: "30" }, "compression-level": { type: "string" } },
});
// DuckDB is unpacked before the first measured run.
const level = values["compression-level"];
const compression = level === undefined ? {} : { compressionLevel: Number(level) };
const platform = platforms.find((name) => name === hostPlatform());
const bindings = platform === undefined ? undefined : findBindings(platform);
if (platform === undefined || bindings === undefined) throw new Error(`no bindings for ${hostPlatform()}`);

// Inside the repository, so that the smallest program finds DuckDB as ours does.
const directory = mkdtempSync(join(tmpdir(), "agnes-startup-"));
const sources = join(import.meta.dir, "..", "dist", `startup-${process.pid}`);
try {
  mkdirSync(sources, { recursive: true });
  const build = async (name: string, entry: string) => {
    const outfile = join(directory, name);
    await buildExecutable({ platform, bindings, outfile, entry, ...compression });
    return outfile;
  };
  const write = (name: string, text: string) => {
    writeFileSync(join(sources, name), text);
    return join(sources, name);
  };
  const empty = await build("empty", write("empty.ts", ""));
  const smallest = await build("smallest", write("smallest.ts", SMALLEST));
  const agnes = await build("agnes", join(import.meta.dir, "..", "cmd", "main.ts"));
  run([agnes, "demo", "w"]);
  compare("agnes --help", [agnes, "--help"], "an empty program", [empty]);
  compare(
    'agnes query "select 1"',
    [agnes, "query", "select 1", "--workspace", "w"],
    "the smallest program that opens DuckDB",
    [smallest],
  );
} finally {
  rmSync(directory, { recursive: true });
  rmSync(sources, { recursive: true });
}

function compare(what: string, ours: readonly string[], than: string, theirs: readonly string[]): void {
  const [ourTimes, theirTimes]: [number[], number[]] = [[], []];
  for (let round = -2; round < Number(values.runs); round++) {
    const pair = [run(ours), run(theirs)] as const;
    if (round < 0) continue; // The first runs unpack DuckDB and warm the page cache.
    ourTimes.push(pair[0]);
    theirTimes.push(pair[1]);
  }
  const [our, their] = [median(ourTimes), median(theirTimes)];
  const ratio = our / their;
  console.log(`${what}: ${our.toFixed(1)} ms; ${than}: ${their.toFixed(1)} ms; ratio ${ratio.toFixed(2)}`);
  if (ratio > RATIO_MAX) process.exitCode = 1;
}

/** Milliseconds one run takes. */
function run(command: readonly string[]): number {
  const start = performance.now();
  const result = Bun.spawnSync([...command], { cwd: directory, env: { HOME: directory }, stderr: "pipe" });
  const elapsed = performance.now() - start;
  if (result.exitCode !== 0) throw new Error(`${command.join(" ")} failed: ${result.stderr.toString()}`);
  return elapsed;
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1]!;
}
