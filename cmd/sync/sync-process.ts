import { runSyncProcess } from "../../lib/sync-process.ts";
import { importPlugin } from "../connectors/import-plugin.ts";
import { bundledPlugins } from "../plugins.ts";
import { rememberImport, rememberOrigin, strayFailure } from "../process/plugin-origins.ts";
import { enlargeThreadPool } from "../process/thread-pool.ts";
import { writePluginOutput } from "../terminal/stderr.ts";

/** Runs a source for the server, with the plugins of the command line; see `runSyncProcess`. */
export async function runSourceOfServer(): Promise<never> {
  enlargeThreadPool();
  const stray = (thrown: unknown) => {
    const { message, hint } = strayFailure(thrown);
    writePluginOutput(`${message} ${hint}\n`);
  };
  process.on("unhandledRejection", stray).on("uncaughtException", stray);
  return runSyncProcess({
    plugins: await bundledPlugins(),
    onConnect: rememberOrigin,
    async importPlugin(path) {
      const exported = await importPlugin(path);
      rememberImport(path, exported);
      return exported;
    },
  });
}
