import { errorCodes } from "../../lib/base/mod.ts";

/** The exit statuses, as documented. A test compares both with the behaviour of commands. */
export const exitStatuses = {
  0: "success",
  1: "failure, including a query that fails while it runs and failed checks of `doctor`, `connector health`, `connector test`",
  2: "wrong usage or configuration: the command line, a name, `agnes.yaml`, the form of the SQL",
  3: "partial failure, the rest succeeded: `sync`, `connector discover`, `connector list`, `table discover`, `table import --skip-invalid`",
  130: "stopped by a second Ctrl-C; 143 by a second SIGTERM",
} as const;

/** The exit status of a command. */
export type ExitStatus = 0 | 1 | 2 | 3;

/** A failed part: its error, or the code of that error in a report. */
interface Failure {
  readonly code: string;
}

/**
 * The exit status of a command that continues if a part fails: 3 if some parts succeeded; otherwise 2 if all failures
 * are errors of usage or configuration, or else 1.
 *
 * @param doneCount how many parts succeeded
 */
export function partStatus(doneCount: number, failures: readonly Failure[]): ExitStatus {
  if (failures.length === 0) return 0;
  if (doneCount > 0) return 3;
  return failures.every(({ code }) => exitOf(code) === 2) ? 2 : 1;
}

function exitOf(code: string): number {
  return Object.hasOwn(errorCodes, code) ? errorCodes[code as keyof typeof errorCodes].exit : 1;
}
