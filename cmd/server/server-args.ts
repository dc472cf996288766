import { AgnesError } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { openServer, type ServerClient } from "./client.ts";

/** The option of commands that also work with a server. */
export const serverArgs = {
  server: {
    type: "string",
    valueHint: "URL",
    description:
      "Use a server instead of a workspace, with the token in AGNES_TOKEN; default: AGNES_SERVER, unless --workspace is set",
  },
} as const;

/** The server of a command; undefined: it uses a workspace. @throws `usage_wrong`, `server_address_invalid` */
export function serverOf(
  cli: Cli,
  option: string | undefined,
  signal: AbortSignal = cli.signal,
): ServerClient | undefined {
  if (option !== undefined && cli.workspace !== undefined) {
    const reason = "--server and --workspace exclude each other";
    throw new AgnesError("usage_wrong", { command: cli.name, reason });
  }
  const address = option ?? (cli.workspace === undefined ? process.env["AGNES_SERVER"] : undefined);
  return address === undefined || address === "" ? undefined : openServer(address, { signal });
}
