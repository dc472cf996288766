import { errorCodes } from "../../lib/base/mod.ts";
import type { ExitStatus } from "./command.ts";

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
