import { bigintAsText, createLog, type Log } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { writeErr } from "../terminal/stderr.ts";

/** The log of the server on stderr: with `--json` one object per line. `--quiet` leaves errors only. */
export function serverLog(cli: Cli): Log {
  if (!cli.json) return cli.log;
  return createLog(({ level, message, fields }) => {
    if (level === "debug" && !cli.verbose) return;
    if (level !== "error" && cli.quiet) return;
    writeErr(
      `${JSON.stringify({ at: new Date().toISOString(), level, message, ...fields }, bigintAsText)}\n`,
    );
  });
}
