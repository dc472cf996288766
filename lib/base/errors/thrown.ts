// A plugin may throw any value: an error with a circular cause, or with an unreadable message.
import { inspect } from "node:util";

import { AgnesError } from "./agnes-error.ts";

/** The maximum number of errors in a chain of causes. */
const CAUSES_MAX = 10;

/** Returns the message of any thrown value; never throws. */
export function messageOf(thrown: unknown): string {
  return (
    attempt(() => String(isError(thrown) ? thrown.message : thrown)) ?? "the thrown value cannot be read"
  );
}

/** Formats a value like `inspect`, without nested values; never throws. */
export function inspected(value: unknown): string {
  return attempt(() => inspect(value, { depth: 0 })) ?? "(not displayable)";
}

/** Returns the thrown value and its causes, outermost first: each once, at most ten. Never throws. */
export function causesOf(thrown: unknown): readonly unknown[] {
  const causes: unknown[] = [];
  for (let next = thrown; causes.length < CAUSES_MAX && !causes.includes(next);) {
    causes.push(next);
    next = causeOf(next);
    if (next === undefined) break;
  }
  return causes;
}

/**
 * Returns the thrown value if it is not an error, or an error with readable texts and a finite chain of causes.
 * Otherwise a copy with the readable texts of each error.
 */
export function readableError(thrown: unknown): unknown {
  const causes = causesOf(thrown);
  if (causeOf(causes.at(-1)) === undefined && causes.every(isReadable)) return thrown;
  return causes.reduceRight<unknown>((cause, error) => copyOf(error, cause), undefined);
}

const TEXTS = ["name", "message", "stack", "code", "hint", "retry"] as const;

/** Whether the texts of an error are strings; a code may be a number. */
function isReadable(thrown: unknown): boolean {
  if (!isError(thrown)) return !isOpaque(thrown);
  const isIntact = attempt(() => {
    void thrown.cause;
    return TEXTS.every((key) =>
      ["string", "undefined", key === "code" ? "number" : ""].includes(typeof textIn(thrown, key)),
    );
  });
  return isIntact === true;
}

function copyOf(error: unknown, cause: unknown): unknown {
  if (!isError(error)) return isOpaque(error) ? new Error(messageOf(error)) : error;
  const options = cause === undefined ? {} : { cause };
  const texts = TEXTS.map((key) => [key, attempt(() => textIn(error, key))] as const);
  const known = Object.fromEntries(texts.filter(([, text]) => typeof text === "string"));
  if (error instanceof AgnesError) {
    const copy = attempt(() => error.withDetails(error.details, options));
    if (copy !== undefined)
      return Object.assign(copy, known["stack"] === undefined ? {} : { stack: known["stack"] });
  }
  return Object.assign(new Error(messageOf(error), options), { ...known, message: messageOf(error) });
}

function textIn(error: Error, key: (typeof TEXTS)[number]): unknown {
  return (error as Partial<Record<typeof key, unknown>>)[key];
}

function isError(value: unknown): value is Error {
  return attempt(() => value instanceof Error) === true;
}

/** Whether even its class cannot be read. */
function isOpaque(value: unknown): boolean {
  return attempt(() => value instanceof Error) === undefined;
}

/** Returns the cause of an error; `undefined` for other values or if it cannot be read. */
function causeOf(thrown: unknown): unknown {
  return isError(thrown) ? attempt(() => thrown.cause) : undefined;
}

/** Returns the result, or `undefined` if it throws: reading a value may run code of a plugin. */
export function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
