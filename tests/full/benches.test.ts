import { expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");

/** The benches of `bench/README.md`, with the arguments of a run that is short and measures nothing. */
const benches: Readonly<Record<string, readonly string[]>> = {
  "extract.ts": ["--rows", "3000"],
  "extract-rows.ts": ["--rows", "3000"],
  "extract-files.ts": ["--rows", "3000", "--rounds", "1"],
  "keboola.ts": ["--rows", "3000", "--slices", "3", "--rounds", "1", "--no-memory", "--no-many"],
  "bigquery-storage.ts": ["--rows", "3000", "--rounds", "1"],
  "remote.ts": ["--rows", "2000", "--tables", "20"],
  "metadata.ts": ["--tables", "20", "--latency", "5"],
  "merge.ts": ["--rows", "3000"],
  "unchanged.ts": ["--rows", "3000", "--rounds", "1"],
  "profile.ts": ["--rows", "3000", "--rounds", "1"],
  "analytics.ts": ["--tables", "10"],
  "catalog.ts": ["--max", "1000", "--only", "file"],
  "startup.ts": ["--runs", "1", "--compression-level", "1"],
  "lookup.ts": ["--rounds", "1", "--lookups", "20"],
  "serve.ts": "--rounds 1 --seconds 0.2 --warm-up-seconds 0.2 --export-rows 1000 --load-minutes 0.02".split(
    " ",
  ),
  "pull.ts": ["--rows", "3000", "--rounds", "1"],
};

test("bench/README.md types every bench so that it runs where bun is not on the PATH", async () => {
  const page = await readFile(join(ROOT, "bench", "README.md"), "utf8");
  const typed = [...page.matchAll(/^npx bun bench\/(\S+)/gm)].map(([, name]) => name!);
  expect([...new Set(typed)].toSorted()).toEqual(Object.keys(benches).toSorted());
  expect(page).not.toMatch(/^bun /m);
});

test.each(Object.entries(benches))("bench/%s runs without bun on the PATH", async (name, args) => {
  const child = Bun.spawn([process.execPath, join("bench", name), ...args], {
    cwd: ROOT,
    env: { ...process.env, PATH: "/usr/bin:/bin" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  // startup.ts ends with 1 when a ratio is not reached, which a single run does not decide.
  expect([stderr, status <= 1, stdout.trim() === ""]).toEqual(["", true, false]);
});
