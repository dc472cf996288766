import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

import { attempt } from "./errors/mod.ts";

/** Returns the name of the operating system's user who runs this process; `undefined` if the user has no name. */
export function systemUser(): string | undefined {
  // A container may run under an id without a user, and without these files and programs.
  const named = attempt(() => userInfo().username);
  // Bun reads the name from the environment, and returns "unknown" if it is not set.
  if (named !== undefined && named !== "" && named !== "unknown") return named;
  return attempt(passwordFileUser) || attempt(idUser) || undefined;
}

function passwordFileUser(): string | undefined {
  const uid = String(process.getuid?.());
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return lines.map((line) => line.split(":")).find((fields) => fields[2] === uid)?.[0];
}

/** Also finds users of a directory service. */
function idUser(): string {
  return execFileSync("id", ["-un"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}
