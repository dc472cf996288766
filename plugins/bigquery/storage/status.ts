/** The names of the status codes of gRPC, by code. */
const NAMES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** The status of a failed call. */
export interface Status {
  readonly name: string;
  readonly reason: string;
}

/** A stream that was silent for too long. */
export class Stalled extends Error {
  constructor(idleMs: number) {
    super(`no response within ${idleMs} ms`);
  }
}

/** Statuses that a new attempt may resolve. */
const PASSING: ReadonlySet<string> = new Set([
  "CANCELLED",
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "RESOURCE_EXHAUSTED",
  "ABORTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
]);

/** Returns the status of an error of gRPC; undefined for another error. */
export function statusOf(error: unknown): Status | undefined {
  if (error instanceof Stalled) return { name: "DEADLINE_EXCEEDED", reason: error.message };
  if (!(error instanceof Error) || !("details" in error) || !("code" in error)) return undefined;
  const { code, details } = error;
  const name = typeof code === "number" ? NAMES[code] : undefined;
  if (name === undefined) return undefined;
  return { name, reason: typeof details === "string" && details !== "" ? details : name };
}

/** Whether a new attempt may succeed. */
export const isPassing = ({ name }: Status): boolean => PASSING.has(name);

/** Whether the session has expired, six hours after it was created. */
export const isExpired = ({ name, reason }: Status): boolean =>
  ["FAILED_PRECONDITION", "NOT_FOUND", "INVALID_ARGUMENT"].includes(name) &&
  /\bsession\b.*\bexpired\b/i.test(reason);
