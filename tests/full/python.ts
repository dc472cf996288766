import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../../tools/source.ts";
import { oneAtATime } from "./one-at-a-time.ts";

const HERE = import.meta.dir;

/** A Python that has the packages of `requirements.txt`; see `pythonWith`. */
export function python(): string {
  const lines = readFileSync(join(HERE, "requirements.txt"), "utf8").split("\n");
  return pythonWith(lines.filter((line) => line !== "" && !line.startsWith("#")));
}

/**
 * A Python that has the packages, each pinned as `name==version`: a virtual environment below `node_modules/.cache`,
 * made when it is first asked for. A machine on which it cannot be made fails the tests that need it.
 */
export function pythonWith(packages: readonly string[]): string {
  const key = createHash("sha256").update(packages.join("\n")).digest("hex").slice(0, 16);
  const directory = join(ROOT, "node_modules/.cache/agnes-python", key);
  const isComplete = join(directory, "complete");
  oneAtATime(() => {
    if (existsSync(isComplete)) return;
    makeEnvironment(directory, packages);
    writeFileSync(isComplete, packages.join("\n"));
  });
  return join(directory, "bin/python");
}

function makeEnvironment(directory: string, packages: readonly string[]): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  if (spawnSync("python3", ["-m", "venv", directory]).status !== 0) {
    // Debian and Ubuntu keep it in a package of its own.
    const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
    const apt = [...sudo, "apt-get"];
    run(apt[0]!, [...apt.slice(1), "update"]);
    run(apt[0]!, [...apt.slice(1), "install", "-y", "python3", "python3-venv"]);
    run("python3", ["-m", "venv", directory]);
  }
  if (packages.length > 0) {
    const quietly = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(join(directory, "bin/python"), [...quietly, ...packages]);
  }
}

/** What a Python program of the suite prints. */
export function runPython(script: string, ...parameters: readonly string[]): string {
  return run(python(), [join(HERE, script), ...parameters]);
}

/** Runs a program to its end. @throws when it fails, with what it wrote */
export function run(command: string, parameters: readonly string[]): string {
  const result = spawnSync(command, parameters, { encoding: "utf8", maxBuffer: 256 * 1024 * 1024 });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new Error(`${command} ${parameters.join(" ")} failed:\n${result.stdout}${result.stderr}`);
  }
  return result.stdout;
}
