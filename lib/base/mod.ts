export { currentActor } from "./actor.ts";
export {
  abortError,
  afterAbort,
  atMost,
  linkedController,
  raceAbort,
  raceTimeout,
  throwIfAborted,
  withDeadline,
  withTimeout,
} from "./async.ts";
export { checkAgainst } from "./check.ts";
export {
  DIES_WITH_PARENT,
  endFirstWhenMemoryIsShort,
  processesOver,
  processExists,
  processSpace,
  residentBytes,
  setProcessPriority,
  signalProcess,
  startProcess,
  type ChildProcess,
} from "./child-process.ts";
export { processMark, type ProcessMark } from "./process-mark.ts";
export { endWithParent } from "./end-with-parent.ts";
export { eachOf } from "./concurrency.ts";
export { copyRow } from "./copy-row.ts";
export { counted } from "./counted.ts";
export { spokenDuration } from "./duration.ts";
export {
  AgnesError,
  causesOf,
  defineErrors,
  displayWidth,
  errorCodes,
  errorSpec,
  inspected,
  isAgnesError,
  messageOf,
  readableError,
  reasonOf,
  formatValue,
} from "./errors/mod.ts";
export type {
  ErrorCode,
  ErrorDetails,
  ErrorSpec,
  PluginError,
  PluginErrors,
  Retry,
  SqlPlace,
  TableCommand,
} from "./errors/mod.ts";
export { fileError } from "./file-error.ts";
export { blockingFiles, nodeFiles } from "./files.ts";
export { onAbort } from "./on-abort.ts";
export { quickLookups } from "./quick-lookups.ts";
export type { Files } from "./files.ts";
export type { OpenedFile } from "./opened-file.ts";
export { writeOutput } from "./write-output.ts";
export { createHost, randomId, randomName } from "./host.ts";
export type { Host } from "./host.ts";
export {
  checkEnvironmentName,
  checkExposedName,
  checkSourceName,
  checkVendorName,
  isExposedName,
  isReservedSchema,
  toExposedName,
} from "./identifiers.ts";
export { JsonText } from "./json-text.ts";
export { createLog, silentLog } from "./log.ts";
export type { Log, LogEntry, LogLevel } from "./log.ts";
export { machineLimits } from "./machine.ts";
export { Mutex } from "./mutex.ts";
export { nearest } from "./nearest.ts";
export { OpenedOnce } from "./opened-once.ts";
export { bigintAsText } from "./json.ts";
export {
  makeDirectoryDurably,
  publishFile,
  replaceDatabase,
  TEMPORARY_SUFFIX,
  temporaryPath,
} from "./publish.ts";
export { quoted, quotedText, shellQuoted } from "./quoted.ts";
export { holdsSecret, printable, redact } from "./redact.ts";
export { rowOfKept } from "./row-of-kept.ts";
export { nameHoldsSecret, redactError, redactThrown, redactValue } from "./redact-value.ts";
export { Secret } from "./secret.ts";
export { isSentError, knownError, receivedError, sentError } from "./sent-error.ts";
export type { SentError } from "./sent-error.ts";
export { snakeCase } from "./snake-case.ts";
export { createTurns } from "./turns.ts";
export { StallTimer, startTimer } from "./timer.ts";
export { checkServerAddress, checkServerToken, connectionReason } from "./server-address.ts";
