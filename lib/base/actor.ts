import type { Host } from "./host.ts";

/** Returns the user who runs this process, from the environment or otherwise from the operating system. */
export function currentActor(host: Pick<Host, "env" | "userName">): string {
  const { env } = host;
  return env["USER"] || env["LOGNAME"] || env["USERNAME"] || host.userName() || "unknown";
}
