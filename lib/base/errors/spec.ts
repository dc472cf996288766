import { counted } from "../counted.ts";

/** Whether the same call may succeed later without changes. */
export type Retry = "transient" | "permanent";

/** The definition of one error code. `D` is the type of its details. */
export interface ErrorSpec<D extends object = object> {
  /** The HTTP status. */
  readonly status: number;
  /** The exit status of the executable: 1 failure, 2 wrong usage. */
  readonly exit: 1 | 2;
  readonly retry: Retry;
  /** Returns the failure and the value. */
  readonly message: (details: D) => string;
  /** Returns the next step for the user. */
  readonly hint: (details: D) => string;
}

/** Declares one error code. The defaults are HTTP 500, exit 1, permanent. */
export function errorSpec<D extends object>(
  spec: Pick<ErrorSpec<D>, "message" | "hint"> & Partial<ErrorSpec<D>>,
): ErrorSpec<D> {
  return { status: 500, exit: 1, retry: "permanent", ...spec };
}

/** Formats an input value for a message: quoted, control characters escaped, at most `maxLength` characters. */
export function shown(value: unknown, maxLength = 80): string {
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
