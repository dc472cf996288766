import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

const UNKNOWN = "unknown";

/** Who runs this process: the user of the environment, or else of the operating system. */
export function currentActor(env: Readonly<Record<string, string | undefined>>): string {
  return env["USER"] || env["LOGNAME"] || env["USERNAME"] || systemUser();
}

function systemUser(): string {
  const named = attempt(() => userInfo().username);
  // Bun takes the name from the environment, and says this where it is not there.
  if (named !== undefined && named !== "" && named !== UNKNOWN) return named;
  return attempt(passwordFileUser) || attempt(idUser) || UNKNOWN;
}

function passwordFileUser(): string | undefined {
  const uid = String(process.getuid?.());
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return lines.map((line) => line.split(":")).find((fields) => fields[2] === uid)?.[0];
}

/** Knows users of a directory service too. */
function idUser(): string {
  return execFileSync("id", ["-un"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

/** A container may run under a number that no user has, and may lack every file and program. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
