import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { CliResult } from "./run-cli.ts";

const ROOT = join(import.meta.dir, "..", "..");

/** Types every command of a page of the guide, in order, in an empty folder where `agnes` is on the PATH. */
export async function typeGuide(page: string, directory: string): Promise<CliResult> {
  const text = await readFile(join(ROOT, "docs", "guide", page), "utf8");
  const script = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block).join("");
  const agnes = join(directory, "agnes");
  await writeFile(agnes, `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, "cmd", "main.ts")}" "$@"\n`);
  await chmod(agnes, 0o755);
  const child = Bun.spawn(["sh", "-e", "-c", script], {
    cwd: directory,
    env: { PATH: `${directory}:${process.env["PATH"]}`, HOME: directory, USER: "ann" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}
