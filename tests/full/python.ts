import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../../tools/source.ts";

/**
 * A Python that has the packages, each pinned as `name==version`: a virtual environment below `node_modules/.cache`,
 * made when it is first asked for.
 * @throws when there is no `python3`, or a package cannot be installed
 */
export function pythonWith(packages: readonly string[]): string {
  const key = createHash("sha256").update(packages.join("\n")).digest("hex").slice(0, 16);
  const directory = join(ROOT, "node_modules/.cache/agnes-python", key);
  const python = join(directory, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
  const isComplete = join(directory, "complete");
  if (existsSync(isComplete)) return python;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  run("python3", ["-m", "venv", directory]);
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", ...packages]);
  writeFileSync(isComplete, packages.join("\n"));
  return python;
}

/** Runs a program to its end. @throws when it fails, with what it wrote */
export function run(command: string, parameters: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${parameters.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout;
}
