import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { temporaryData } from "../../analytics/extract-files.ts";
import { isolated, isRunning, rowsIn, until } from "./isolated.ts";

test("workers end within a second of their killed parent, busy or not, and the next start removes their files", async () => {
  await using folder = await temporaryData();
  const script = join(import.meta.dir, "parent.ts");
  const parent = Bun.spawn([process.execPath, script, folder.data], { stdout: "pipe", stderr: "inherit" });
  let text = "";
  for await (const bytes of parent.stdout) {
    text += new TextDecoder().decode(bytes);
    if (text.includes("\n")) break;
  }
  const workers = JSON.parse(text) as readonly number[];
  expect(workers).toHaveLength(3);
  expect(workers.every(isRunning)).toBe(true);
  const files = readdirSync(tmpdir()).filter((name) =>
    name.startsWith(`agnes-workers-${hostname()}-${parent.pid}-`),
  );
  expect(files).toHaveLength(1);
  // A stopped process stands for one whose JavaScript thread is busy, and does not see the end of its standard input.
  process.kill(workers[0]!, "SIGSTOP");
  parent.kill("SIGKILL");
  await parent.exited;
  await until(() => !workers.some(isRunning), 1000);
  await using next = isolated(folder.data);
  expect(await rowsIn(next, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect(existsSync(join(tmpdir(), files[0]!))).toBe(false);
});
