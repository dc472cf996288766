import { counted } from "../counted.ts";

/** Whether the same call may succeed later without changes. */
export type Retry = "transient" | "permanent";

/** The definition of one error code. `D` is the type of its details. */
export interface ErrorSpec<D extends object = object> {
  /** The HTTP status. */
  readonly status: number;
  /** The exit status of the executable: 1 failure, 2 wrong usage. */
  readonly exit: 1 | 2;
  /** Whether the same call may succeed later. */
  readonly retry: Retry;
  /**
   * Whether the failure is in the data of a source, such as its files and values, and not in a program. Such an error
   * reaches the user as it is, not as `plugin_failed`.
   */
  readonly isDataError: boolean;
  /** Returns the failure and the value. */
  readonly message: (details: D) => string;
  /** Returns the next step for the user. */
  readonly hint: (details: D) => string;
}

/**
 * Declares one error code; see `defineErrors`. The defaults are HTTP 500, exit 1, permanent, not a data error.
 *
 * @example
 * ```ts
 * import { errorSpec } from "agnes/kit";
 * const quotaExceeded = errorSpec<{ limit: number }>({
 *   status: 429,
 *   retry: "transient",
 *   message: ({ limit }) => `the account may make ${limit} requests a day`,
 *   hint: () => "Run it again tomorrow.",
 * });
 * ```
 */
export function errorSpec<D extends object>(
  spec: Pick<ErrorSpec<D>, "message" | "hint"> & Partial<ErrorSpec<D>>,
): ErrorSpec<D> {
  return { status: 500, exit: 1, retry: "permanent", isDataError: false, ...spec };
}

/**
 * Formats an input value for a message: quoted, control characters escaped, at most `maxLength` characters.
 *
 * @param maxLength the maximum number of characters; default: 80
 * @example
 * ```ts
 * import { formatValue } from "agnes/kit";
 * formatValue("line 1\nline 2"); // "line 1\nline 2", with quotes and on one line
 * ```
 */
export function formatValue(value: unknown, maxLength = 80): string {
  const text = typeof value === "string" ? JSON.stringify(value) : textOf(value);
  const visible = text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
  return visible.length <= maxLength
    ? visible
    : `${visible.slice(0, maxLength)}… (${counted(text.length, "character")})`;
}

/** Returns the text of a value, or its type if it has none, such as an object without a prototype. */
function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `[${typeof value}]`;
  }
}

/** A place in a file, counted from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
