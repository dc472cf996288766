import { errorCodes, type ErrorCode, type ErrorDetails } from "./codes.ts";
import { formatValue, type ErrorSpec, type Retry } from "./spec.ts";

/**
 * The error class of Agnes: a stable code, a message with the failure and the value, and a hint.
 *
 * The code determines the message and the hint; `details` contains the values in them and never a secret.
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
  /** The stable name of the failure; see `docs/reference/errors.md`. */
  readonly code: C;
  /** The values in the message and hint, by name; never a secret. */
  readonly details: Readonly<ErrorDetails<C>>;
  /** The next step for the user, in one sentence. */
  readonly hint: string;
  /** `transient` if the same call may succeed later. */
  readonly retry: Retry;
  /** The HTTP status. */
  readonly status: number;
  /** The exit status of the executable: 1 failure, 2 wrong usage. */
  readonly exitCode: 1 | 2;
  /** Whether the failure is in the data of a source, such as its files and values, and not in a program. */
  readonly isDataError: boolean;
  readonly #spec: ErrorSpec<never>;

  /**
   * Creates the error of a code. Connectors use `transient`, `permanent` or their own `defineErrors`.
   *
   * @param details the values that the code requires
   * @param options.cause the error that led to this one
   * @param options.retry the retry class, for an error that wraps another; default: that of the code
   * @param options.spec the definition of the code of a plugin; see `defineErrors`
   * @throws TypeError for a code of a plugin without `options.spec`, or an unknown code
   */
  constructor(
    code: C,
    details: ErrorDetails<C>,
    options: { readonly cause?: unknown; readonly retry?: Retry; readonly spec?: ErrorSpec<never> } = {},
  ) {
    const spec = (options.spec ?? specOf(code)) as ErrorSpec<ErrorDetails<C>>;
    super(spec.message(details), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = details;
    this.hint = spec.hint(details);
    this.retry = options.retry ?? spec.retry;
    this.status = spec.status;
    this.exitCode = spec.exit;
    this.isDataError = spec.isDataError;
    this.#spec = spec;
  }

  /**
   * Returns the same error with other details, and optionally with other texts than those of its code. The retry class is
   * kept; the cause is not.
   *
   * @param options.moreHint a sentence to append to the hint. Default: none
   */
  withDetails(
    details: ErrorDetails<C>,
    options: {
      readonly cause?: unknown;
      readonly texts?: { readonly message: string; readonly hint: string };
      readonly moreHint?: string;
    } = {},
  ): AgnesError<C> {
    const { texts, moreHint, ...rest } = options;
    const own = this.#spec as ErrorSpec<ErrorDetails<C>>;
    const hintOf = texts === undefined ? own.hint : () => texts.hint;
    const spec = {
      ...own,
      ...(texts === undefined ? {} : { message: () => texts.message }),
      hint: (d: ErrorDetails<C>) => (moreHint === undefined ? hintOf(d) : `${hintOf(d)} ${moreHint}`),
    };
    return new AgnesError(this.code, details, { ...rest, retry: this.retry, spec });
  }

  /** The JSON format of errors, for HTTP, MCP and `--json`. */
  toJSON(): { error: { code: C; message: string; hint: string; details: Readonly<ErrorDetails<C>> } } {
    return { error: { code: this.code, message: this.message, hint: this.hint, details: this.details } };
  }
}

function specOf(code: ErrorCode): ErrorSpec<never> {
  if (Object.hasOwn(errorCodes, code)) return errorCodes[code as keyof typeof errorCodes] as ErrorSpec<never>;
  throw new TypeError(
    `the error code ${formatValue(code)} is unknown; a plugin declares its codes with defineErrors`,
  );
}

/**
 * Returns whether a value is an `AgnesError`, optionally with a specific code.
 *
 * @param code default: any code
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

/** Returns the reason in an error's details, otherwise its message. */
export function reasonOf(error: AgnesError): string {
  const { reason } = error.details as { readonly reason?: unknown };
  return typeof reason === "string" ? reason : error.message;
}
