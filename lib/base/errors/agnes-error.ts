import { errorCodes, type ErrorCode, type ErrorDetails } from "./codes.ts";
import type { ErrorSpec, Retry } from "./spec.ts";

/**
 * The one error of Agnes: a stable code, what failed with the value seen, and what to do next.
 *
 * The message and hint are made from `details` by the table `errorCodes`; details never hold a secret.
 *
 * @example
 * ```ts
 * import { AgnesError } from "agnes";
 * const error = new AgnesError("timed_out", { what: "the query", timeoutMs: 30_000 });
 * console.log(error.code, error.message, error.hint, error.retry); // timed_out … transient
 * ```
 */
export class AgnesError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = "AgnesError";
  readonly code: C;
  readonly details: Readonly<ErrorDetails<C>>;
  /** What to do next, one sentence. */
  readonly hint: string;
  /** `transient` when the same call may succeed later unchanged. */
  readonly retry: Retry;
  /** HTTP status. */
  readonly status: number;
  /** Exit status of the executable. */
  readonly exitCode: 1 | 2;

  /** @param options.retry what wraps another error keeps the class of that one; default: the code's */
  constructor(
    code: C,
    details: ErrorDetails<C>,
    options: { readonly cause?: unknown; readonly retry?: Retry } = {},
  ) {
    const spec = errorCodes[code] as unknown as ErrorSpec<ErrorDetails<C>>;
    super(spec.message(details), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = details;
    this.hint = spec.hint(details);
    this.retry = options.retry ?? spec.retry;
    this.status = spec.status;
    this.exitCode = spec.exit;
  }

  /** The one JSON shape of an error, for HTTP, MCP and `--json`. */
  toJSON(): { error: { code: C; message: string; hint: string; details: Readonly<ErrorDetails<C>> } } {
    return { error: { code: this.code, message: this.message, hint: this.hint, details: this.details } };
  }
}

/**
 * Whether a value is an `AgnesError`, optionally of one code.
 *
 * @example
 * ```ts
 * import { createAgnes, isAgnesError } from "agnes";
 * await createAgnes({ plugins: [], workspace: "/nowhere" }).catch((error: unknown) => {
 *   if (isAgnesError(error, "workspace_missing")) console.log(error.hint);
 * });
 * ```
 */
export function isAgnesError<C extends ErrorCode = ErrorCode>(
  value: unknown,
  code?: C,
): value is AgnesError<C> {
  return value instanceof AgnesError && (code === undefined || value.code === code);
}

/** What an error says beyond its code: the reason in its details, or else its message. */
export function reasonOf(error: AgnesError): string {
  const { reason } = error.details as { readonly reason?: unknown };
  return typeof reason === "string" ? reason : error.message;
}
