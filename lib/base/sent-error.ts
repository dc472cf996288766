import { AgnesError, type ErrorCode, type ErrorDetails, type Retry } from "./errors/mod.ts";

/** An error as a message. */
export interface SentError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retry: Retry;
  readonly status: number;
  readonly exitCode: 1 | 2;
  readonly isDataError: boolean;
}

/** Returns an error as a message. */
export function sentError(error: unknown): SentError {
  const known = knownError(error);
  const { code, message, hint, retry, status, exitCode, isDataError } = known;
  const details = known.details as SentError["details"];
  return { code, message, hint, details, retry, status, exitCode, isDataError };
}

/** Returns an error with a code. */
export function knownError(error: unknown): AgnesError {
  if (error instanceof AgnesError) return error;
  return new AgnesError("internal", { what: error instanceof Error ? error.message : String(error) });
}

/** Whether a value has the form of an error as a message. */
export function isSentError(value: unknown): value is SentError {
  if (typeof value !== "object" || value === null) return false;
  const { code, message, hint, details, retry, status, exitCode, isDataError } = value as Partial<SentError>;
  return (
    [code, message, hint].every((text) => typeof text === "string") &&
    typeof details === "object" &&
    details !== null &&
    (retry === "transient" || retry === "permanent") &&
    typeof status === "number" &&
    (exitCode === 1 || exitCode === 2) &&
    typeof isDataError === "boolean"
  );
}

/** Returns the error of a message, which may have a code of a plugin that this process has not loaded. */
export function receivedError(sent: SentError): AgnesError {
  const { code, message, hint, details, retry, status, exitCode: exit, isDataError } = sent;
  const spec = { message: () => message, hint: () => hint, retry, status, exit, isDataError };
  return new AgnesError(code as ErrorCode, details as ErrorDetails<ErrorCode>, { retry, spec });
}
