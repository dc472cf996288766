/** A Python of the suite's own, with the packages of `requirements.txt`. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const HERE = import.meta.dir;
const REQUIREMENTS = join(HERE, "requirements.txt");

/**
 * The path of the interpreter. The environment is made when it is first asked for and kept until the requirements
 * change; a machine on which it cannot be made fails the tests that need it.
 */
export function python(): string {
  const hash = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 12);
  const directory = join(HERE, "../../node_modules/.cache/agnes-full", hash);
  const interpreter = join(directory, "bin/python");
  const finished = join(directory, "finished");
  if (existsSync(finished)) return interpreter;
  rmSync(directory, { recursive: true, force: true });
  if (spawnSync("python3", ["-m", "venv", directory]).status !== 0) {
    // Debian and Ubuntu keep it in a package of its own.
    const sudo = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
    run([...sudo, "apt-get", "update"]);
    run([...sudo, "apt-get", "install", "-y", "python3", "python3-venv"]);
    run(["python3", "-m", "venv", directory]);
  }
  run([interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS]);
  writeFileSync(finished, "");
  return interpreter;
}

/** What a Python program of the suite prints. */
export function runPython(script: string, ...parameters: readonly string[]): string {
  return run([python(), join(HERE, script), ...parameters]);
}

function run([command, ...parameters]: readonly string[]): string {
  const result = spawnSync(command!, parameters, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.status !== 0) {
    throw new Error(`${command} ${parameters.join(" ")} failed: ${result.error?.message ?? result.stderr}`);
  }
  return result.stdout;
}
