import { errorCodes } from "../../lib/base/mod.ts";

/** The exit statuses, as the documentation states them; a test compares both with what commands do. */
export const exitStatuses = {
  0: "everything was done",
  1: "it failed: all of it, also a query that fails while it runs, or a check of `doctor`, `connector health`, `connector test`",
  2: "what was typed or configured is wrong: the command line, a name, `agnes.yaml`, the form of the SQL",
  3: "a part failed, the rest is done: `sync`, `connector discover`, `connector list`, `table discover`, `table import --skip-invalid`",
  130: "stopped at once by a second Ctrl-C; 143 by a second SIGTERM",
} as const;

/** The exit status of a command. */
export type ExitStatus = 0 | 1 | 2 | 3;

/** A part that failed: its error, or what a report keeps of one. */
interface Failure {
  readonly code: string;
}

/**
 * The exit status of a command that goes on when a part fails: 3 when the rest is done; when nothing is, 2 if every part
 * failed by what was typed or configured, else 1.
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
