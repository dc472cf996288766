import { inspect } from "node:util";

import { AgnesError, messageOf } from "./errors/mod.ts";
import { holdsSecret, redact } from "./redact.ts";
import { secretSpellings } from "./secret-forms.ts";

/** A shorter secret may be an ordinary word, such as a password `postgres` beside a table `postgres_jobs`. */
const NAME_SECRET_LENGTH_MIN = 12;
/** A beginning of a secret this long, before `…`, is a secret that was cut off. */
const CUT_LENGTH_MIN = 6;

/**
 * A value without secrets: redacted are the texts in it, in lists and in plain objects, keys included.
 * Returns the value itself when nothing was redacted.
 */
export function redactValue<T>(value: T, secrets: Iterable<string>): T {
  return cleanValue(value, [...secrets], new Set()) as T;
}

/** An error without secrets, made again from its redacted details; the error itself when it holds none. */
export function redactError<E extends AgnesError>(error: E, secrets: Iterable<string>): E {
  const hidden = [...secrets];
  const details = redactValue(error.details, hidden);
  const cause = redactThrown(error.cause, hidden);
  const stack = cleanText(error.stack ?? "", hidden);
  if (details === error.details && cause === error.cause && stack === (error.stack ?? "")) return error;
  const clean = new AgnesError(error.code, details, {
    retry: error.retry,
    ...(cause === undefined ? {} : { cause }),
  });
  clean.stack = stack;
  return clean as E;
}

/**
 * What was thrown, or when a secret is anywhere in it, an error that keeps only its redacted name, message and stack.
 * An `AgnesError` stays one.
 */
export function redactThrown(thrown: unknown, secrets: Iterable<string>): unknown {
  if (thrown === undefined) return undefined;
  if (thrown instanceof AgnesError) return redactError(thrown, secrets);
  const hidden = [...secrets];
  const all = inspect(thrown, { depth: 6, showHidden: true, maxStringLength: null, maxArrayLength: 1000 });
  const words = thrown instanceof Error ? `${thrown.message}\n${thrown.stack ?? ""}` : "";
  const seen = `${all}\n${words}`;
  if (cleanText(seen, hidden) === seen) return thrown;
  if (!(thrown instanceof Error)) return new Error(cleanText(inspect(thrown, { depth: 0 }), hidden));
  const clean = new Error(cleanText(messageOf(thrown), hidden));
  clean.name = cleanText(thrown.name, hidden);
  clean.stack = cleanText(thrown.stack ?? "", hidden);
  return clean;
}

/** Whether a name, which is kept and shown everywhere, holds the value of a secret of at least 12 characters. */
export function nameHoldsSecret(name: string, secrets: Iterable<string>): boolean {
  return holdsSecret(
    name,
    [...secrets].filter(({ length }) => length >= NAME_SECRET_LENGTH_MIN),
  );
}

function cleanValue(value: unknown, secrets: readonly string[], above: ReadonlySet<unknown>): unknown {
  if (typeof value === "string") return cleanText(value, secrets);
  if (typeof value !== "object" || value === null || above.has(value)) return value;
  if (value instanceof Error) return redactThrown(value, secrets);
  const within = new Set([...above, value]);
  if (Array.isArray(value)) {
    const items = value.map((item) => cleanValue(item, secrets, within));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const entries = Object.entries(value);
  const clean = entries.map(
    ([key, item]) => [cleanText(key, secrets), cleanValue(item, secrets, within)] as const,
  );
  const isSame = clean.every(([key, item], at) => key === entries[at]![0] && item === entries[at]![1]);
  return isSame ? value : Object.fromEntries(clean);
}

function cleanText(text: string, secrets: readonly string[]): string {
  const clean = redact(text, secrets);
  return clean.includes("…") ? clean.split("…").map(withoutCut(secrets)).join("…") : clean;
}

/** Takes the beginning of a secret from the end of a text that was cut to a length. */
function withoutCut(
  secrets: readonly string[],
): (text: string, at: number, pieces: readonly string[]) => string {
  const spellings = secrets.flatMap(secretSpellings);
  return (text, at, pieces) => {
    if (at === pieces.length - 1) return text;
    const longest = Math.max(0, ...spellings.map((spelling) => cutLength(text, spelling)));
    return longest < CUT_LENGTH_MIN ? text : `${text.slice(0, -longest)}[redacted]`;
  };
}

/** How much of the beginning of a secret the text ends with. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= CUT_LENGTH_MIN; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) return length;
  }
  return 0;
}
