import { errorCodes } from "../../lib/base/mod.ts";
import type { AnyPlugin } from "../../lib/kit/mod.ts";

/** The exit statuses, as documented. A test compares both with the behaviour of commands. */
export const exitStatuses = {
  0: "success",
  1: "failure, including a query that fails while it runs and failed checks of `doctor`, `connector health`, `connector test`, and a table that `pull` cannot copy",
  2: "wrong usage or configuration: the command line, a name, `agnes.yaml`, malformed SQL",
  3: "partial failure, the rest succeeded: `sync`, `metadata refresh`, `connector discover`, `connector list`, `table discover`, `table import --skip-invalid`",
  130: "stopped by a second Ctrl-C; 143 by a second SIGTERM",
} as const;

/** The exit status of a command. */
export type ExitStatus = 0 | 1 | 2 | 3;

/** A failed part: its error, or the code of that error in a report. */
interface Failure {
  readonly code: string;
  readonly exitCode?: 1 | 2;
}

/**
 * The exit status of a command that continues if a part fails: 3 if some parts succeeded; otherwise 2 if all failures
 * are errors of usage or configuration, or else 1.
 *
 * @param doneCount how many parts succeeded
 * @param plugins define the codes of their errors
 */
export function partStatus(
  doneCount: number,
  failures: readonly Failure[],
  plugins: readonly Pick<AnyPlugin, "errors">[] = [],
): ExitStatus {
  if (failures.length === 0) return 0;
  if (doneCount > 0) return 3;
  return failures.every(({ code, exitCode }) => (exitCode ?? exitOf(code, plugins)) === 2) ? 2 : 1;
}

function exitOf(code: string, plugins: readonly Pick<AnyPlugin, "errors">[]): number {
  if (Object.hasOwn(errorCodes, code)) return errorCodes[code as keyof typeof errorCodes].exit;
  const errors = plugins.flatMap((plugin) => Object.values(plugin.errors ?? {}));
  return errors.find((error) => error.code === code)?.spec.exit ?? 1;
}
