import type { Agnes, AgnesOptions } from "../../lib/agnes.ts";
import { isAgnesError, raceAbort, silentLog, type Log } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { rememberImport, rememberOrigin } from "../process/plugin-origins.ts";
import { connectorWarnings } from "./connector-warnings.ts";

interface OpenOptions {
  /** Default: the workspace of the command line. */
  readonly workspace?: string;
  /**
   * Whether the command reports all events itself, so that the log is discarded, except warnings of `connectors`.
   * Default: `false`.
   */
  readonly quietLog?: boolean | "connectors";
  /** Whether the command also works without a workspace. */
  readonly optional?: boolean;
  /** The log. Default: that of the terminal, unless `quietLog` discards it. */
  readonly log?: Log;
  /** Further options of the workspace. */
  readonly agnes?: Partial<AgnesOptions>;
  /** Aborts loading plugins. Default: Ctrl-C. */
  readonly signal?: AbortSignal;
}

/**
 * Opens the workspace of a command with the built-in plugins.
 * @throws also `aborted`, or the reason of the signal
 */
export async function openAgnes(cli: Cli, options: OpenOptions = {}): Promise<Agnes> {
  const { signal = cli.signal } = options;
  // Commands that take `--server` do not come here then.
  const isServerSet = Boolean(process.env["AGNES_SERVER"]) && cli.workspace === undefined;
  if (isServerSet && options.workspace === undefined && options.log === undefined)
    cli.info(`\`${cli.name}\` works on the workspace, not on the server of AGNES_SERVER`);
  return raceAbort(openWorkspaceOf(cli, options), signal, `\`${cli.name}\``, (late) => {
    void late[Symbol.asyncDispose]();
  });
}

async function openWorkspaceOf(cli: Cli, options: OpenOptions): Promise<Agnes> {
  const [{ createAgnes }, { bundledPlugins }, { importPlugin }] = await Promise.all([
    import("../../lib/create-agnes.ts"),
    import("../plugins.ts"),
    import("../connectors/import-plugin.ts"),
  ]);
  const workspace = options.workspace ?? cli.workspace;
  const { quietLog = false } = options;
  const quiet = quietLog === "connectors" ? connectorWarnings(cli.log) : silentLog;
  const commandLog = quietLog === false || cli.verbose ? cli.log : quiet;
  const common: AgnesOptions = {
    ...options.agnes,
    plugins: await bundledPlugins(),
    log: options.log ?? commandLog,
    onConnect: rememberOrigin,
    async importPlugin(path) {
      cli.watchPlugins();
      const exported = await importPlugin(path);
      rememberImport(path, exported);
      return exported;
    },
  };
  try {
    return await createAgnes({ ...common, ...(workspace === undefined ? {} : { workspace }) });
  } catch (error) {
    const isOutside = workspace === undefined && isAgnesError(error, "workspace_missing");
    if (!isOutside || options.optional !== true) throw error;
    return createAgnes({ ...common, workspace: process.cwd(), config: { version: 1 } });
  }
}
