/** A process to be killed: `bun crash-child.ts DIRECTORY forever`, or `… DIRECTORY STEP` to kill itself there. */
import { isAgnesError, nodeFiles } from "../../lib/base/mod.ts";
import { runRound } from "./crash-workload.ts";
import { steppedFiles } from "./faulty-files.ts";

const [directory, mode] = process.argv.slice(2) as [string, string];
try {
  if (mode === "forever") {
    for (;;) await runRound(directory);
  } else if (mode === "once") {
    await runRound(directory);
  } else {
    const files = steppedFiles(nodeFiles(), (step) => {
      if (step === Number(mode)) process.kill(process.pid, "SIGKILL");
    });
    await runRound(directory, files);
  }
} catch (error) {
  process.stderr.write(`${isAgnesError(error) ? error.code : String(error)}\n`);
  process.exit(7);
}
