import type { Agnes } from "../../lib/agnes.ts";
import type { Cli } from "./cli.ts";

/** Opens the workspace of a command with the plugins the executable brings along. */
export async function openAgnes(cli: Cli, options: { readonly workspace?: string } = {}): Promise<Agnes> {
  const [{ createAgnes }, { bundledPlugins }, { importPlugin }] = await Promise.all([
    import("../../lib/agnes.ts"),
    import("../plugins.ts"),
    import("./import-plugin.ts"),
  ]);
  const workspace = options.workspace ?? cli.workspace;
  return createAgnes({
    plugins: await bundledPlugins(),
    log: cli.log,
    importPlugin,
    ...(workspace === undefined ? {} : { workspace }),
  });
}
