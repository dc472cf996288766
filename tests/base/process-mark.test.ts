import { afterEach, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

import { processMark, type ProcessMark } from "../../lib/base/mod.ts";

let marks: ProcessMark[] = [];

afterEach(() => {
  for (const mark of marks) mark.kill();
  marks = [];
});

function newMark(): ProcessMark {
  const mark = processMark();
  marks.push(mark);
  return mark;
}

/** Starts a shell with a mark. */
function shell(script: string, env: Readonly<Record<string, string>>) {
  return spawn("sh", ["-c", script], { env: { PATH: process.env["PATH"], ...env }, stdio: "ignore" });
}

/** The processes whose environment has a text. */
function processesWith(text: string): readonly string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, "latin1").includes(text);
    } catch {
      return false;
    }
  });
}

const textOf = ({ env }: ProcessMark) => Object.values(env)[0]!.split(" ").at(-1)!;

async function untilNone(mark: ProcessMark): Promise<void> {
  const endMs = performance.now() + 5000;
  while (processesWith(textOf(mark)).length > 0 && performance.now() < endMs) await Bun.sleep(10);
  expect(processesWith(textOf(mark))).toEqual([]);
}

test("kill() ends processes of other sessions whose parents have ended, and no others", async () => {
  const [mark, other] = [newMark(), newMark()];
  for (const { env } of [mark, other])
    await once(shell("setsid sh -c 'sleep 60 & sleep 60 &' & wait", env), "exit");
  expect(processesWith(textOf(mark))).toHaveLength(2);
  mark.kill();
  await untilNone(mark);
  expect(processesWith(textOf(other))).toHaveLength(2);
});

test("kill() ends processes that start while it looks for them", async () => {
  for (let round = 0; round < 5; round++) {
    const mark = newMark();
    shell("for i in $(seq 500); do setsid sleep 20 & done", mark.env);
    while (processesWith(textOf(mark)).length < 20) await Bun.sleep(1);
    mark.kill();
    await untilNone(mark);
  }
});

test("all processes with a mark end when the process of the mark is killed, or ends, and not before", async () => {
  for (const isKilled of [true, false]) {
    const library = new URL("../../lib/base/mod.ts", import.meta.url).href;
    const program = `
      import { spawn } from "node:child_process";
      import { processMark } from "${library}";
      const { env } = processMark();
      spawn("sh", ["-c", "setsid sh -c 'sleep 60 & sleep 60 &' & wait"], { env: { PATH: process.env.PATH, ...env } });
      console.log(Object.values(env)[0].split(" ").at(-1));
      // Bun closes the pipes of processes that nothing refers to.
      setInterval(() => Bun.gc(true), 10);
      process.stdin.on("data", () => process.exit(0));`;
    const parent = Bun.spawn([process.execPath, "-e", program], { stdin: "pipe", stdout: "pipe" });
    const { value } = await parent.stdout.getReader().read();
    const mark = new TextDecoder().decode(value).trim();
    while (processesWith(mark).length < 2) await Bun.sleep(1);
    await Bun.sleep(500);
    expect(processesWith(mark)).toHaveLength(2);
    if (isKilled) parent.kill("SIGKILL");
    else await parent.stdin.write("end");
    await parent.exited;
    const endMs = performance.now() + 5000;
    while (processesWith(mark).length > 0 && performance.now() < endMs) await Bun.sleep(10);
    expect(processesWith(mark)).toEqual([]);
  }
});

test("kill() of an outer run ends the processes of an inner one", async () => {
  const mark = newMark();
  const [name] = Object.keys(mark.env);
  const before = process.env[name!];
  process.env[name!] = mark.env[name!]!;
  const inner = newMark();
  if (before === undefined) delete process.env[name!];
  else process.env[name!] = before;
  shell("exec sleep 60", inner.env);
  while (processesWith(textOf(inner)).length === 0) await Bun.sleep(1);
  mark.kill();
  await untilNone(inner);
});
