import { spokenDuration } from "../duration.ts";
import { counted } from "../counted.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** Errors of all layers. */
export const baseErrors = {
  internal: errorSpec<{ what: string }>({
    message: (d) => `Agnes failed unexpectedly: ${d.what}`,
    hint: () => "Run the command again with --verbose and report its output.",
  }),
  invalid_input: errorSpec<{ what: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.what} is not valid: ${d.reason}`,
    hint: () => "Correct the value and try again.",
  }),
  invalid_identifier: errorSpec<{ what: string; value: string; rule: string }>({
    status: 400,
    exit: 2,
    message: (d) => `${d.what} ${formatValue(d.value)} is not a valid name: ${d.rule}`,
    hint: () => "Choose a name that follows this rule.",
  }),
  aborted: errorSpec<{ what: string }>({
    status: 499,
    retry: "transient",
    message: (d) => `${d.what} was stopped before it finished`,
    hint: () => "Run it again.",
  }),
  timed_out: errorSpec<{ what: string; timeoutMs: number }>({
    status: 504,
    retry: "transient",
    message: (d) => `${d.what} did not finish within ${spokenDuration(d.timeoutMs)}`,
    hint: () => "Increase the timeout, or request less data.",
  }),
  disk_full: errorSpec<{ path: string; neededBytes?: number; freeBytes?: number }>({
    status: 507,
    retry: "transient",
    message: (d) =>
      d.neededBytes === undefined
        ? `the disk is full: could not write ${d.path}`
        : `not enough disk space: ${d.path} needs ${counted(d.neededBytes, "byte")}, ${d.freeBytes ?? 0} are free`,
    hint: () => "Free disk space and run it again.",
  }),
  file_failed: errorSpec<{ operation: string; path: string; reason: string }>({
    isDataError: true,
    message: (d) => `could not ${d.operation} ${d.path}: ${d.reason}`,
    hint: () => "Check that the path exists and that its permissions allow this.",
  }),
  locked: errorSpec<{ what: string; holder: string }>({
    status: 409,
    retry: "transient",
    message: (d) => `${d.what} is in use by ${d.holder}`,
    hint: () => "Wait for it to finish; the lock is released when its process ends.",
  }),
  lock_damaged: errorSpec<{ what: string; path: string; reason: string }>({
    message: (d) => `the lock file of ${d.what} is damaged: ${d.path}: ${d.reason}`,
    hint: () =>
      "The file contains no data: stop all processes of Agnes that use the workspace, remove the file, and run it again.",
  }),
} as const;
