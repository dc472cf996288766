import { afterAll, beforeAll, expect, test } from "bun:test";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgnesError, nodeFiles } from "../../lib/base/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import {
  appendEvents,
  appendLists,
  BATCHES,
  loadByWindows,
  loadedWindows,
  mergedBatches,
  mergedLists,
  mergeEvents,
  mergeLists,
  publishedRound,
  runRound,
  wholeRound,
  type WorkName,
} from "../extract/crash-workload.ts";
import { steppedFiles } from "../extract/stepped-files.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agnes-crash-"));
  for (let round = 1; round <= 3; round++) await runRound(join(root, "template"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const childPath = join(import.meta.dir, "../extract/crash-child.ts");
const nothing = async () => {};

async function copyOfTemplate(name: string): Promise<string> {
  const directory = join(root, name);
  await cp(join(root, "template"), directory, { recursive: true });
  return directory;
}

async function temporaries(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => /\.tmp/.test(name));
}

async function spawn(directory: string, work: WorkName, mode: string) {
  const child = Bun.spawn(["bun", childPath, directory, work, mode], { stdout: "pipe", stderr: "pipe" });
  const [output, complaint] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { output, complaint, code: child.exitCode, signal: child.signalCode };
}

/** Kills one process at each step of a work, every time in a folder of its own, and checks what it left. */
async function killAtEveryStep(
  work: WorkName,
  from: "template" | "nothing",
  prepare: (directory: string) => Promise<void>,
  check: (directory: string, output: string) => Promise<void>,
): Promise<number> {
  const folder = async (name: string) => {
    const directory = join(root, `${work}-${from}-${name}`);
    if (from === "template") await cp(join(root, "template"), directory, { recursive: true });
    await prepare(directory);
    return directory;
  };
  const whole = await spawn(await folder("whole"), work, "count");
  const steps = Number(whole.output.trim().split("\n").at(-1));
  expect(whole).toMatchObject({ code: 0, complaint: "" });
  let next = 1;
  const killer = async () => {
    for (let step = next++; step <= steps; step = next++) {
      const directory = await folder(`${step}`);
      const { output, signal } = await spawn(directory, work, `${step}`);
      expect(signal).toBe("SIGKILL");
      await check(directory, output);
      await rm(directory, { recursive: true, force: true });
    }
  };
  await Promise.all([killer(), killer()]);
  return steps;
}

/** Whether a folder holds what an extract does and nothing that a dead process left. */
async function expectTidy(directory: string): Promise<void> {
  expect(await temporaries(directory)).toEqual([]);
  const known = [
    "data",
    "extract.duckdb",
    "generations",
    "spool",
    ".lock",
    ".unreferenced.json",
    ".checked.json",
  ];
  expect((await readdir(directory)).filter((name) => !known.includes(name))).toEqual([]);
}

test("extractSource() survives being killed at every step of a run", async () => {
  const steps = await killAtEveryStep("round", "template", nothing, async (directory) => {
    const before = await wholeRound(directory);
    expect([3, 4]).toContain(before);
    await runRound(directory);
    expect(await wholeRound(directory)).toBe(before + 1);
    await expectTidy(directory);
  });
  expect(steps).toBeGreaterThan(30);
});

test("extractSource() survives being killed at every step of its first run", async () => {
  const steps = await killAtEveryStep("round", "nothing", nothing, async (directory) => {
    const before = await publishedRound(directory);
    expect([0, 1]).toContain(before);
    await runRound(directory);
    expect(await wholeRound(directory)).toBe(before + 1);
    await expectTidy(directory);
  });
  expect(steps).toBeGreaterThan(20);
});

test("a first load by windows goes on after the last published one when it is killed at any step", async () => {
  const seen = new Set<number>();
  const steps = await killAtEveryStep("load", "nothing", nothing, async (directory) => {
    const before = await loadedWindows(directory);
    seen.add(before);
    const { tables } = await loadByWindows(directory);
    // The number of rows that were read shows how many windows were.
    expect(tables[0]!.rowsRead).toBe(9 * Math.max(1, 3 - before));
    expect(await loadedWindows(directory)).toBe(3);
    await expectTidy(directory);
  });
  expect(seen).toEqual(new Set([0, 1, 2, 3]));
  expect(steps).toBeGreaterThan(50);
});

test("rollbackExtract() survives being killed at every step", async () => {
  const steps = await killAtEveryStep("rollback", "template", nothing, async (directory) => {
    const before = await wholeRound(directory);
    expect([2, 3]).toContain(before);
    await runRound(directory);
    expect(await wholeRound(directory)).toBe(before + 1);
    await expectTidy(directory);
  });
  expect(steps).toBeGreaterThan(10);
});

test("runStream() merges every event once when it is killed at any step", async () => {
  const steps = await killAtEveryStep("merge", "template", appendEvents, async (directory) => {
    const before = await mergedBatches(directory);
    const waiting = (await readdir(join(directory, "spool"))).length;
    const stats = await mergeEvents(directory);
    expect(await mergedBatches(directory)).toBe(BATCHES);
    // What was published but not yet taken out of the spool is known by the ids of its events.
    expect(stats).toMatchObject({
      published: BATCHES - before,
      replayed: 4 * (waiting + before - BATCHES),
      errors: [],
    });
    expect(await readdir(join(directory, "spool"))).toEqual([]);
    expect(await wholeRound(directory)).toBe(3);
    await expectTidy(directory);
  });
  expect(steps).toBeGreaterThan(30);
});

test("runStream() replaces all rows of a parent or none when it is killed at any step", async () => {
  const seen = new Set<number>();
  const steps = await killAtEveryStep("replace", "template", appendLists, async (directory) => {
    const before = await mergedLists(directory);
    seen.add(before);
    const waiting = (await readdir(join(directory, "spool"))).length;
    const stats = await mergeLists(directory);
    expect(await mergedLists(directory)).toBe(BATCHES);
    // A superseded event is done exactly when its successor is published.
    expect(stats).toMatchObject({
      published: BATCHES - before,
      events: BATCHES - before,
      superseded: 2 * (BATCHES - before),
      replayed: 3 * (waiting + before - BATCHES),
      errors: [],
    });
    expect(await readdir(join(directory, "spool"))).toEqual([]);
    expect(await wholeRound(directory)).toBe(3);
    await expectTidy(directory);
  });
  expect(seen).toEqual(new Set([0, 1, 2]));
  expect(steps).toBeGreaterThan(30);
});

test("Spool.append() loses nothing that it acknowledged when it is killed at any step", async () => {
  const steps = await killAtEveryStep("append", "nothing", nothing, async (directory, output) => {
    const acknowledged = output.trim().split("\n").filter(Boolean).length;
    await mergeEvents(directory);
    expect([acknowledged, acknowledged + 1]).toContain(await mergedBatches(directory));
  });
  expect(steps).toBeGreaterThan(6);
});

test("extractSource() reports a disk that is full at any step, and publishes nothing", async () => {
  let failed = 0;
  const directory = await copyOfTemplate("faults");
  let finished = false;
  for (let step = 1; !finished; step++) {
    const before = await wholeRound(directory);
    const files = steppedFiles(nodeFiles(), (at, name, path) => {
      if (at === step && name !== "remove" && name !== "removeDirectory")
        throw new AgnesError("disk_full", { path });
    });
    try {
      const stats = await runRound(directory, files);
      const codes = stats.errors.map(({ error }) => error.code);
      expect(codes.every((code) => code === "disk_full")).toBe(true);
      finished = codes.length === 0 && (await wholeRound(directory)) === before + 1 && step > 40;
      if (codes.length > 0) failed += 1;
      // One of two tables that fails leaves the other a round ahead: bring both on again.
      if (codes.length === 1) {
        await rm(directory, { recursive: true });
        await copyOfTemplate("faults");
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "disk_full" });
      failed += 1;
    }
  }
  expect(failed).toBeGreaterThan(10);
  await runRound(directory);
  await wholeRound(directory);
  expect(await temporaries(directory)).toEqual([]);
});

test("extractSource() reports a file system that takes no more bytes, and publishes nothing", async () => {
  const codes = new Set<string>();
  for (const blocks of [24, 32, 64, 128, 256, 512, 20_000]) {
    const directory = await copyOfTemplate(`limit-${blocks}`);
    const script = `trap "" XFSZ; ulimit -f ${blocks}; exec bun "$0" "$1" round once`;
    const spawned = Bun.spawn(["sh", "-c", script, childPath, directory], {
      stderr: "pipe",
      stdout: "ignore",
    });
    const output = (await new Response(spawned.stderr).text()).trim();
    const code = await spawned.exited;
    const round = await wholeRound(directory);
    expect(round).toBe(code === 0 ? 4 : 3);
    codes.add(code === 0 ? "ok" : output);
    await runRound(directory);
    expect(await wholeRound(directory)).toBe(round + 1);
    expect(await temporaries(directory)).toEqual([]);
  }
  expect([...codes].sort()).toEqual(["disk_full", "ok"]);
});

test("extractSource() survives 100 kills at random moments under the eyes of a reader", async () => {
  const seed = Number(Bun.env["AGNES_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  process.stderr.write(`crash seed ${seed}\n`);
  const random = seededRandom(seed);
  const directory = join(root, "random");
  await runRound(directory);
  let stopped = false;
  let reads = 0;
  let newest = 0;
  const reader = (async () => {
    while (!stopped) {
      const round = await wholeRound(directory);
      if (round < newest) throw new Error(`the reader saw round ${round} after ${newest}`);
      newest = round;
      reads += 1;
      // Time for those who are to be killed.
      await Bun.sleep(10);
    }
  })();
  reader.catch(() => {});
  let next = readyChild(directory);
  let roundMs = 200;
  let midRound = 0;
  for (let kill = 0; kill < 100; kill++) {
    const child = await next;
    // The next one starts while this one works, which costs no time and moves the moments about a little more.
    next = readyChild(directory);
    await child.process.stdin.write("go\n");
    await child.process.stdin.flush();
    // Some die in their first round, some in the one after.
    if (random() < 0.5) {
      const started = performance.now();
      await child.done();
      roundMs = performance.now() - started;
    }
    await Bun.sleep(random() * roundMs);
    child.process.kill("SIGKILL");
    await child.process.exited;
    if ((await temporaries(directory)).length > 0) midRound += 1;
    // Only its own end by the signal counts: an error of a run would be a fault that needs help.
    expect(await new Response(child.process.stderr).text()).toBe("");
  }
  (await next).process.kill("SIGKILL");
  stopped = true;
  await reader;
  const last = await publishedRound(directory);
  process.stderr.write(
    `crash test: ${last} rounds published, ${midRound} kills amid files, ${reads} reads\n`,
  );
  await runRound(directory);
  expect(await wholeRound(directory)).toBe(last + 1);
  await expectTidy(directory);
  // Otherwise the kills were not where the work is.
  expect(last).toBeGreaterThan(20);
  expect(midRound).toBeGreaterThan(20);
});

/** A process that waits for the word to work. */
async function readyChild(directory: string) {
  const process = Bun.spawn(["bun", childPath, directory, "round", "forever"], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = process.stdout.getReader();
  await output.read();
  return { process, done: async () => void (await output.read()) };
}
