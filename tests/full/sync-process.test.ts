import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { SyncReport } from "agnes";

import { nodeFiles, type Files } from "../../lib/base/mod.ts";
import { isRunning, until } from "../query/workers/isolated.ts";
import { failureOf, temporaryFolder } from "../sync/workspace.ts";
import { sourceProcesses } from "../sync/child/source-processes.ts";
import { openUnruly, TOKEN } from "../sync/child/workspace.ts";

const codesOf = ({ sources }: SyncReport) =>
  Object.fromEntries(sources.map(({ source, status, error }) => [source, error?.code ?? status]));

/** A report without what differs from run to run. */
function comparable(report: SyncReport): unknown {
  const varying = new Set(["runId", "elapsedMs", "id"]);
  return JSON.parse(
    JSON.stringify({ ...report, analytics: null, profiles: null }, (key, value: unknown) =>
      varying.has(key) ? null : value,
    ),
  );
}

test("sources in processes have the reports, the progress and the tables of those in this process", async () => {
  const sources = { a: { manner: "good", rows: 1000 }, b: { manner: "fails" } };
  await using own = await openUnruly(sources, null);
  await using apart = await openUnruly(sources);
  for (const full of [false, true]) {
    const phases: string[] = [];
    const report = await apart.agnes.sync({
      full,
      onProgress: ({ source, table, phase }) => phases.push(`${source}.${table} ${phase}`),
    });
    expect(comparable(report)).toEqual(comparable(await own.agnes.sync({ full })));
    expect(phases).toContain("a.numbers done");
    expect(phases).toContain("b.numbers failed");
  }
  expect(await apart.agnes.rows("SELECT count(*) AS n FROM a.numbers")).toEqual([{ n: 1000 }]);
  const [change] = await (await apart.agnes.tables()).history();
  expect(change).toMatchObject({ actor: "tester" });
  const { source, status } = (await (await apart.agnes.runs()).list({ source: "a" }))[0]!;
  expect({ source, status }).toEqual({ source: "a", status: "complete" });
});

test("a connector that blocks fails its own run only, while queries and other sources go on", async () => {
  await using workspace = await openUnruly({
    good: { manner: "good" },
    bad: { manner: "blocks", stalledMs: 6000 },
  });
  const { agnes } = workspace;
  let isBlocked = false;
  const syncing = agnes.sync({ onProgress: ({ source }) => void (isBlocked ||= source === "bad") });
  await until(() => isBlocked);
  const [pid] = sourceProcesses().slice(-1);
  expect(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")).toBe("1000\n");
  for (let count = 0; count < 20; count++) {
    const startMs = performance.now();
    expect(await agnes.rows("SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(performance.now() - startMs).toBeLessThan(2000);
  }
  expect(codesOf(await syncing)).toEqual({ good: "complete", bad: "sync_stalled" });
  expect(sourceProcesses()).toEqual([]);
  const [run] = await (await agnes.runs()).list({ source: "bad" });
  expect(run).toMatchObject({ status: "failed", error: { code: "sync_stalled" } });
  const status = await agnes.syncStatus();
  expect(status.filter(({ id }) => id.startsWith("bad.")).map((table) => table.error?.code)).toEqual([
    "sync_stalled",
    "sync_stalled",
  ]);
});

test("the timeout of a source also ends a run that blocks", async () => {
  await using workspace = await openUnruly({ bad: { manner: "blocks", timeoutMs: 4000 } });
  expect(codesOf(await workspace.agnes.sync())).toEqual({ bad: "timed_out" });
});

test("crashes, exits and memory of a connector fail its run with a code, and what was published stays", async () => {
  const plugin = { memoryMb: 700 };
  await using workspace = await openUnruly(
    { crash: { manner: "aborts" }, exit: { manner: "exits" }, greedy: { manner: "grows" } },
    plugin,
  );
  const { agnes } = workspace;
  expect(codesOf(await agnes.sync())).toEqual({
    crash: "sync_process_ended",
    exit: "sync_process_ended",
    greedy: "sync_memory_exceeded",
  });
  const reasons = (await agnes.sync({ only: ["crash", "exit"] })).sources.map(({ error }) => error?.details);
  expect(reasons).toEqual([
    { source: "crash", reason: "signal SIGABRT" },
    { source: "exit", reason: "exit status 3" },
  ] as never);
  expect(sourceProcesses()).toEqual([]);
});

test("a program that is none fails the run, and so does one that writes what is no message", async () => {
  for (const [command, reason] of [
    [["/nowhere/at-all"], /ENOENT|no such file/i],
    [["sh", "-c", "printf '\\036{broken\\n'; sleep 60"], /cannot be read/],
    [["sh", "-c", "echo rubbish; cat >/dev/null & exit 0"], /exit status 0/],
  ] as const) {
    await using workspace = await openUnruly(
      { a: { manner: "good" } },
      { command: [...command] as [string] },
    );
    const { sources } = await workspace.agnes.sync();
    expect(sources[0]!.error).toMatchObject({ code: "sync_process_ended" });
    expect(sources[0]!.error!.message).toMatch(reason);
  }
});

test("what a connector writes is in the log without secrets, and changes nothing else", async () => {
  await using workspace = await openUnruly({ loud: { manner: "prints" } });
  expect(codesOf(await workspace.agnes.sync())).toEqual({ loud: "complete" });
  const text = workspace.log.map(({ level, message }) => `${level} ${message}`).join("\n");
  expect(text).not.toContain(TOKEN);
  expect(text).toContain('info output of source loud: {"type":"report"} [redacted]');
  expect(text).toContain("raw [redacted] without an end");
  expect(text).toContain("warn a warning with [redacted]");
});

test("secrets are in the environment of a process only", async () => {
  using folder = temporaryFolder();
  const stdin = join(folder.path, "stdin");
  await using workspace = await openUnruly({ slow: { manner: "slow" } });
  let pids: readonly number[] = [];
  const syncing = workspace.agnes.sync({ only: ["slow"], onProgress: () => void (pids = sourceProcesses()) });
  await until(() => pids.length > 0);
  expect(readFileSync(`/proc/${pids[0]}/cmdline`, "utf8")).not.toContain(TOKEN);
  expect(readFileSync(`/proc/${pids[0]}/environ`, "utf8")).toContain(TOKEN);
  await syncing;
  const command = ["sh", "-c", `head -n 1 >'${stdin}'`] as const;
  await using fake = await openUnruly({ fake: { manner: "good" } }, { command });
  await fake.agnes.sync();
  const sent = readFileSync(stdin, "utf8");
  expect(sent).toContain('"source":"fake"');
  expect(sent).not.toContain(TOKEN);
});

for (const [manner, what] of [
  ["waits", "that stops"],
  ["ignores", "that ignores its signal"],
  ["blocks", "that blocks"],
] as const) {
  test(`stopping a sync ends the process of a connector ${what}`, async () => {
    await using workspace = await openUnruly({ a: { manner } });
    const controller = new AbortController();
    const stop = () => setTimeout(() => controller.abort(), 100);
    const syncing = workspace.agnes.sync({
      signal: controller.signal,
      onProgress: ({ phase }) => void (phase === "reading" && stop()),
    });
    expect(await failureOf(syncing)).toMatchObject({ code: "aborted" });
    expect(sourceProcesses()).toEqual([]);
    expect((await (await workspace.agnes.runs()).list())[0]).toMatchObject({ status: "stopped" });
  });
}

test("processes of sources end within a second of their killed parent, and the next sync works", async () => {
  using folder = temporaryFolder();
  const script = join(import.meta.dir, "../sync/child/parent.ts");
  const parent = Bun.spawn([process.execPath, script, folder.path], { stdout: "pipe", stderr: "inherit" });
  for await (const bytes of parent.stdout) if (new TextDecoder().decode(bytes).includes("reading")) break;
  const pids = sourceProcesses(parent.pid);
  expect(pids).toHaveLength(1);
  parent.kill("SIGKILL");
  await parent.exited;
  await until(() => !pids.some(isRunning), 1000);
  const next = Bun.spawn([process.execPath, script, folder.path, "good"], {
    stdout: "pipe",
    stderr: "inherit",
  });
  expect(await new Response(next.stdout).text()).toContain("complete");
});

test("processes that a connector started in a session of their own end with its process", async () => {
  await using workspace = await openUnruly({ a: { manner: "escapes" } });
  expect(codesOf(await workspace.agnes.sync())).toEqual({ a: "complete" });
  const pids = workspace.log.flatMap(({ message }) => /escaped: (\d+)/.exec(message)?.[1] ?? []).map(Number);
  expect(pids).toHaveLength(2);
  await until(() => !pids.some(isRunning), 10_000);
});

test("tables get their names in the order of the sources, as in one process", async () => {
  await using workspace = await openUnruly({ b: { manner: "late" }, a: { manner: "good" } });
  await workspace.agnes.sync();
  const tables = await (await workspace.agnes.tables()).list();
  const views = Object.fromEntries(tables.map(({ id, viewName }) => [id, viewName]));
  expect(views).toMatchObject({ "b.numbers": "numbers" });
  expect(views["a.numbers"]).not.toBe("numbers");
});

test("createAgnes() rejects options of sync processes that are not valid", async () => {
  for (const processes of [
    { memoryMb: -1 },
    { graceMs: 0.5 },
    { command: [] },
    { plugins: "x" },
    { more: 1 },
  ])
    expect(await failureOf(openUnruly({}, processes as never))).toMatchObject({ code: "invalid_input" });
});

test("a forged message fails the run of its connector, and the source is free again", async () => {
  await using workspace = await openUnruly({ bad: { manner: "forges" } });
  const { agnes } = workspace;
  for (let count = 0; count < 2; count++)
    expect(codesOf(await agnes.sync())).toEqual({ bad: "sync_process_ended" });
  const runs = await (await agnes.runs()).list();
  expect(runs.map(({ status, error }) => [status, error?.code])).toEqual([
    ["failed", "sync_process_ended"],
    ["failed", "sync_process_ended"],
  ]);
});

test("the profiles of what a sync changed are computed in a process of their own", async () => {
  const real = nodeFiles();
  const files: Files = {
    ...real,
    rename: async (from, to) => {
      if (to.includes("profiles")) throw new Error("this process writes a profile");
      await real.rename(from, to);
    },
  };
  const host = { env: { ...process.env, UNRULY_TOKEN: TOKEN }, files };
  await using workspace = await openUnruly({ a: { manner: "good" }, b: { manner: "good" } }, {}, { host });
  const { agnes } = workspace;
  const { profiles } = await agnes.sync();
  expect(profiles.map(({ table, status }) => `${table} ${status}`).toSorted()).toEqual(
    ["a.first", "a.numbers", "b.first", "b.numbers"].map((table) => `${table} computed`),
  );
  const profile = await agnes.profile("a.numbers", { compute: "never" });
  expect(profile).toMatchObject({ row_count: 3, stale: null });
  expect((await agnes.sync()).profiles).toEqual([]);
  expect(sourceProcesses()).toEqual([]);
});

test("health checks of a server run in one process, and those that end it or fill its memory fail alone", async () => {
  const health = (manner: string) => ({ manner: "good", health: manner });
  const sources = {
    a: health("good"),
    exits: health("exits"),
    greedy: health("grows"),
    b: health("slow"),
    c: health("good"),
    none: { manner: "good" },
  };
  await using workspace = await openUnruly(sources, { memoryMb: 700 });
  const { agnes } = workspace;
  await agnes.startScheduler();
  let isChecked = false;
  while (!isChecked) {
    await Bun.sleep(100);
    isChecked = (await agnes.sourceHealth()).every(({ checkedAt }) => checkedAt !== null);
  }
  await agnes.stopScheduler();
  const states = await agnes.sourceHealth();
  expect(states.map(({ source, state, code }) => [source, state, code])).toEqual([
    ["a", "ok", null],
    ["exits", "failed", "source_unhealthy"],
    ["greedy", "failed", "source_unhealthy"],
    ["b", "ok", null],
    ["c", "ok", null],
    ["none", "unknown", null],
  ]);
  const reasons = new Map(states.map(({ source, reason }) => [source, reason]));
  expect(reasons.get("exits")).toContain("exit status 3");
  expect(reasons.get("greedy")).toContain("more than 700 MB");
  expect(reasons.get("a")).not.toBe(`process ${process.pid}`);
  expect(sourceProcesses()).toEqual([]);
});
