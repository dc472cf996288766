import { counted } from "../counted.ts";

/** Whether the same call may succeed later without anyone changing anything. */
export type Retry = "transient" | "permanent";

/** What one error code means. `D` is the shape of the details its message is made from. */
export interface ErrorSpec<D extends object = object> {
  /** HTTP status under which the code is served. */
  readonly status: number;
  /** Exit status of the executable: 1 failed, 2 wrong usage. */
  readonly exit: 1 | 2;
  readonly retry: Retry;
  /** What failed and the value seen. */
  readonly message: (details: D) => string;
  /** What to do next. */
  readonly hint: (details: D) => string;
}

/** Declares one error code. The defaults are HTTP 500, exit 1, permanent. */
export function errorSpec<D extends object>(
  spec: Pick<ErrorSpec<D>, "message" | "hint"> & Partial<ErrorSpec<D>>,
): ErrorSpec<D> {
  return { status: 500, exit: 1, retry: "permanent", ...spec };
}

/** Shows a value seen in bad input: quoted, control characters escaped, at most `maxLength` characters. */
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

/** What has no text of its own, such as an object without a prototype, is shown by its kind. */
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
