import manifest from "../package.json" with { type: "json" };
import { dispatch } from "./dispatch.ts";
import { mainCommand } from "./main-command.ts";
import { exitProcess } from "./process/exit.ts";
import { SYNC_ARGUMENT, WORKER_ARGUMENT } from "./process/worker-argument.ts";

if (process.argv[2] === WORKER_ARGUMENT) {
  const { runQueryWorker } = await import("../lib/query/mod.ts");
  await runQueryWorker();
}
if (process.argv[2] === SYNC_ARGUMENT) {
  const { runSourceOfServer } = await import("./sync/sync-process.ts");
  await runSourceOfServer();
}
exitProcess(await dispatch(mainCommand, process.argv.slice(2), manifest.version));
