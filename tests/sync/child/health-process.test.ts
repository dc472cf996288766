import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { createAgnes } from "agnes";

import { createHost, silentLog } from "../../../lib/base/mod.ts";
import { healthProcess } from "../../../lib/sync/child/health-process.ts";
import type { HealthResult } from "../../../lib/sync/health/health-records.ts";
import { syncProcessSettings } from "../../../lib/sync/mod.ts";
import { failureOf, temporaryFolder } from "../workspace.ts";
import unrulyPlugin from "./unruly.ts";

const message = (value: object) => `printf '%b%s\\n' '\\036' '${JSON.stringify(value)}'`;
const begun = (name: string) => message({ type: "begun", name });
const checked = (source: string) =>
  message({ type: "checked", result: { source, state: "ok", code: null, reason: "ready" } });

/** Checks the sources `a`, `b` and `c` in processes that run a script of the shell. */
async function checks(script: string, { stalledMs = 60_000, memoryMb = 1000 } = {}) {
  const folder = temporaryFolder();
  const source = { plugin: "unruly", options: { manner: "good" } };
  const agnes = await createAgnes({
    workspace: folder.path,
    plugins: [unrulyPlugin],
    config: { version: 1, sources: { a: source, b: source, c: source } },
  });
  const { workspace, plugins } = agnes;
  const { limits } = workspace.config;
  const services = {
    host: createHost(),
    log: silentLog,
    limits,
    workspace,
    plugins,
    publishedStates: () => async () => undefined,
  };
  const noted = `read -r task; echo "$task" >>'${join(folder.path, "tasks")}'; ${script}`;
  const command = ["sh", "-c", noted] as const;
  const settings = syncProcessSettings({ command, memoryMb, graceMs: 200 }, limits, "");
  const process = healthProcess(services, settings, stalledMs);
  const unruly = new Set<string>();
  return {
    unruly,
    /** The sources of each process so far. */
    processes: () => readFileSync(join(folder.path, "tasks"), "utf8").match(/(?<="sources":)\[[^\]]*\]/g),
    /** Returns the code, or the reason, of each result. */
    async run(signal = new AbortController().signal) {
      const results: HealthResult[] = [];
      await process({
        sources: ["a", "b", "c"],
        unruly,
        signal,
        onResults: async (some) => void results.push(...some),
      });
      return results.map(({ source: name, state, code, reason }) => [name, state, code ?? reason]);
    },
    async [Symbol.asyncDispose]() {
      await agnes.close();
      folder[Symbol.dispose]();
    },
  };
}

const all = '["a","b","c"]';
const done = message({ type: "done" });

test("one process checks all sources", async () => {
  await using own = await checks(
    `${["a", "b", "c"].map((name) => `${begun(name)}; ${checked(name)}`).join("; ")}; ${done}`,
  );
  expect(await own.run()).toEqual([
    ["a", "ok", "ready"],
    ["b", "ok", "ready"],
    ["c", "ok", "ready"],
  ]);
  expect(own.processes()).toEqual([all]);
});

test("a source whose check ends or blocks the process fails alone, and is apart from the others in the next check", async () => {
  for (const [act, code] of [
    ["kill -SEGV $$", "source_unhealthy"],
    ["exec sleep 60", "timed_out"],
  ] as const) {
    await using own = await checks(
      `case "$task" in
         *'${all}'*) ${begun("a")}; ${begun("b")}; ${checked("a")}; ${act} ;;
         *'["c"]'*) ${begun("c")}; ${checked("c")}; ${done} ;;
         *'["a","c"]'*) ${begun("a")}; ${begun("c")}; ${checked("c")}; ${checked("a")}; ${done} ;;
         *'["b"]'*) ${begun("b")}; ${act} ;;
       esac`,
      { stalledMs: 500 },
    );
    const failed = ["b", "failed", code];
    const [a, c] = ["a", "c"].map((name) => [name, "ok", "ready"]);
    expect(await own.run()).toEqual([a, c, failed] as never);
    expect(await own.run()).toEqual([c, a, failed] as never);
    expect(own.processes()).toEqual([all, '["c"]', '["b"]', '["a","c"]', '["b"]']);
  }
});

test("a source that is ready again is checked with the others again", async () => {
  await using own = await checks(
    `case "$task" in
       *'["b"]'*) ${begun("b")}; ${checked("b")}; ${done} ;;
       *'["a","c"]'*) ${begun("a")}; ${checked("a")}; ${begun("c")}; ${checked("c")}; ${done} ;;
     esac`,
  );
  own.unruly.add("b");
  expect((await own.run()).map(([name]) => name)).toEqual(["a", "c", "b"]);
  expect([...own.unruly]).toEqual([]);
});

test("a process that ends before its first check is an error, and no source counts as failed", async () => {
  await using own = await checks("exit 3");
  const error = await failureOf(own.run());
  expect(error).toMatchObject({ code: "internal" });
  expect(error.message).toContain("exit status 3");
});

test("a check that is stopped fails no source", async () => {
  await using own = await checks(`${begun("a")}; exec sleep 60`);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 300);
  expect(await own.run(controller.signal)).toEqual([]);
  expect(own.unruly.size).toBe(0);
});
