import type { Cli } from "../cli/cli.ts";
import type { CommandRegistry } from "../tables/registry.ts";
import { serverOf } from "./server-args.ts";
import { ServerRegistry } from "./server-registry.ts";

/** Opens the registry of a command: that of its server, otherwise of its workspace. */
export async function openRegistry(cli: Cli, server: string | undefined): Promise<CommandRegistry> {
  const client = serverOf(cli, server);
  if (client !== undefined) return new ServerRegistry(cli, client);
  const { openWorkspaceRegistry } = await import("../tables/workspace-registry.ts");
  return openWorkspaceRegistry(cli);
}
