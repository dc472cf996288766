import { AgnesError, createHost, isAgnesError } from "../../lib/base/mod.ts";
import { openWorkspace, readCopyState } from "../../lib/workspace/mod.ts";
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
  if (option !== undefined && option !== "") return openServer(option, { signal });
  const address = cli.workspace === undefined ? process.env["AGNES_SERVER"] : undefined;
  return address === undefined || address === ""
    ? undefined
    : openServer(address, { signal, isDefault: true });
}

/** The options of a command that works with a server only. */
export const serverOnlyArgs = {
  server: {
    type: "string",
    valueHint: "URL",
    description:
      "The server, with the token in AGNES_TOKEN; default: AGNES_SERVER, or the server of the copy in this folder",
  },
} as const;

/**
 * The server of a command that works with a server only.
 * @throws `usage_wrong`, `server_address_invalid`, `copy_unreadable`, and the errors of a wrong agnes.yaml
 */
export async function requiredServer(cli: Cli, option: string | undefined): Promise<ServerClient> {
  const server = serverOf(cli, option);
  if (server !== undefined) return server;
  const address = await serverOfCopy(cli);
  if (address !== undefined) return openServer(address, { signal: cli.signal });
  const reason = "it needs a server, and none is named";
  const next = "Add --server URL, or set AGNES_SERVER.";
  throw new AgnesError("usage_wrong", { command: cli.name, reason, next });
}

/** The server whose tables the workspace has; undefined: it is no copy, or there is no workspace. */
async function serverOfCopy(cli: Cli): Promise<string | undefined> {
  const host = createHost();
  try {
    const { config, dataDirectory } = await openWorkspace(
      host,
      cli.workspace === undefined ? {} : { exact: cli.workspace },
    );
    return config.copy?.server ?? (await readCopyState(host, dataDirectory))?.server;
  } catch (error) {
    if (isAgnesError(error, "workspace_missing")) return undefined;
    throw error;
  }
}

/** Rejects options that only a workspace has. @throws `usage_wrong` */
export function checkNoServer(cli: Cli, server: ServerClient | undefined, options: readonly string[]): void {
  if (server === undefined || options.length === 0) return;
  const [first] = options;
  const reason = `${options.join(" and ")} ${options.length === 1 ? "is" : "are"} not available with a server`;
  const next = `Omit ${first}, or run the command in the workspace; --workspace has precedence over AGNES_SERVER.`;
  throw new AgnesError("usage_wrong", { command: cli.name, reason, next });
}
