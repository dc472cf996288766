import { isAgnesError } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { printRows } from "../terminal/print-rows.ts";
import { attempt, failed, warning, type Check } from "../doctor/check.ts";
import { dataFolderChecks, duckdbChecks, runtimeCheck } from "../doctor/machine.ts";
import { workspaceChecks } from "../doctor/workspace.ts";

export default command({
  args: {
    "install-extensions": {
      type: "boolean",
      default: false,
      description: "Download missing DuckDB extensions of remote tables",
    },
  },
  examples: ["agnes doctor", "agnes doctor --install-extensions", "agnes doctor --json"],
  async run(cli, args) {
    const workspace = await ofWorkspace(cli, args["install-extensions"]);
    // Runs after the workspace checks, so that extensions installed by them are listed.
    const checks = [runtimeCheck(), ...(await attempt("DuckDB", duckdbChecks)), ...workspace];
    if (cli.json) await cli.printJson({ checks });
    else {
      await printRows(
        cli,
        ["state", "what", "finding"],
        checks.map(({ state, name, message }) => [state, name, message]),
      );
      for (const { name, hint } of checks) if (hint !== undefined) cli.info(`${name}: ${hint}`);
    }
    return checks.some(({ state }) => state === "failed") ? 1 : 0;
  },
});

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
