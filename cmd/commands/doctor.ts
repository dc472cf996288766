import { isAgnesError } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";
import { attempt, failed, warning, type Check } from "../doctor/check.ts";
import { dataFolderChecks, duckdbChecks, runtimeCheck } from "../doctor/machine.ts";
import { serverChecks } from "../doctor/server.ts";
import { workspaceChecks } from "../doctor/workspace.ts";
import { checkNoServer, serverOf } from "../server/server-args.ts";

export default command({
  args: {
    server: {
      type: "string",
      valueHint: "URL",
      description:
        "Check a server over HTTP instead, with the token in AGNES_TOKEN; default: AGNES_SERVER, unless --workspace is set",
    },
    "install-extensions": {
      type: "boolean",
      default: false,
      description: "Download missing DuckDB extensions of remote tables",
    },
  },
  examples: [
    "agnes doctor",
    "agnes doctor --install-extensions",
    "agnes doctor --json",
    "agnes doctor --server https://agnes.example.com",
  ],
  async run(cli, args) {
    const installExtensions = args["install-extensions"];
    const server = serverOf(cli, args.server);
    if (installExtensions) checkNoServer(cli, server, ["--install-extensions"]);
    const checks = await (server === undefined ? localChecks(cli, installExtensions) : serverChecks(server));
    if (cli.json) await cli.printJson({ checks });
    else {
      await printRows(
        cli,
        ["state", "what", textColumn("finding")],
        checks.map(({ state, name, message }) => [state, name, message]),
      );
      for (const { name, hint } of checks) if (hint !== undefined) cli.info(`${name}: ${hint}`);
    }
    return checks.some(({ state }) => state === "error") ? 1 : 0;
  },
});

async function localChecks(cli: Cli, installExtensions: boolean): Promise<readonly Check[]> {
  const workspace = await ofWorkspace(cli, installExtensions);
  // Runs after the workspace checks, so that extensions installed by them are listed.
  return [runtimeCheck(), ...(await attempt("DuckDB", duckdbChecks)), ...workspace];
}

async function ofWorkspace(cli: Cli, installExtensions: boolean): Promise<readonly Check[]> {
  try {
    await using agnes = await openAgnes(cli, { quietLog: true });
    const folder = await attempt("data folder", () => dataFolderChecks(agnes.workspace.dataDirectory));
    return [...folder, ...(await workspaceChecks(agnes, installExtensions))];
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    const isOutside = error.code === "workspace_missing" && cli.workspace === undefined;
    return [isOutside ? warning("workspace", error.message, error.hint) : failed("workspace", error)];
  }
}
