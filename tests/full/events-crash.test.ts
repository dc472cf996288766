import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";

import {
  crashDesk,
  openDesk,
  push,
  registerIncremental,
  remove,
  syncDesk,
  titles,
  upsert,
} from "../sync/pushing.ts";
import { temporaryFolder } from "../sync/workspace.ts";

const capabilities = ["discover", "read", "stream"] as const;

async function runChild(directory: string, mode: string) {
  const path = join(import.meta.dir, "../sync/events-crash-child.ts");
  const child = spawn(process.execPath, [path, directory, mode], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (piece: Buffer) => void (output += piece.toString()));
  const signal = await new Promise((resolve) => child.once("close", (_, killed) => resolve(killed)));
  return { output, signal };
}

test("sync() merges every event once when it is killed at some steps of the merge, the read and the rebuild", async () => {
  using folder = temporaryFolder();
  const template = join(folder.path, "template");
  {
    const desk = crashDesk();
    desk.rows["tickets"] = [1, 2].map((id) => ({ id, title: "one", version: 1 }));
    await using agnes = await openDesk(template, desk, capabilities);
    await registerIncremental(agnes);
    await syncDesk(agnes);
    await push(
      template,
      [upsert("tickets", 1, "pushed", 5)],
      [remove("tickets", 2)],
      [upsert("labels", 8, "new")],
    );
  }
  const copy = async (name: string) => {
    const directory = join(folder.path, name);
    await cp(template, directory, { recursive: true });
    return directory;
  };
  const counted = await runChild(await copy("counted"), "count");
  const [status, steps] = counted.output.trim().split(" ");
  expect(status).toBe("complete");
  expect(Number(steps)).toBeGreaterThan(40);
  const merges = new Set<number>();
  const KILLS = 9;
  for (let kill = 1; kill <= KILLS; kill++) {
    const directory = await copy(`kill-${kill}`);
    const step = Math.floor((Number(steps) * kill) / (KILLS + 1));
    expect((await runChild(directory, `${step}`)).signal).toBe("SIGKILL");
    await using agnes = await openDesk(directory, crashDesk(), capabilities);
    const after = await syncDesk(agnes);
    const { merged, replayed, waiting } = after.events!;
    merges.add(merged);
    // Either the kill came before the publish of the events or after it.
    expect({ step, status: after.status, waiting, left: [0, 3].includes(merged) }).toEqual({
      step,
      status: "complete",
      waiting: 0,
      left: true,
    });
    expect(merged === 3 ? replayed : merged).toBe(0);
    expect(await titles(agnes, "tickets")).toEqual(["1 pushed", "3 read"]);
    expect(await titles(agnes, "labels")).toEqual(["7 red"]);
    expect(await readdir(join(directory, "data", "extracts", "desk", "spool"))).toEqual([]);
  }
  expect(merges).toEqual(new Set([0, 3]));
});
