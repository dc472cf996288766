// What a plugin throws may be anything: an error whose cause leads back to itself, or whose message cannot be read.
import { inspect } from "node:util";

import { AgnesError } from "./agnes-error.ts";

/** How many errors of a chain of causes are looked at. */
const CAUSES_MAX = 10;

/** The message of anything that can be thrown; never throws. */
export function messageOf(thrown: unknown): string {
  return attempt(() => String(isError(thrown) ? thrown.message : thrown)) ?? "what it threw cannot be read";
}

/** A value in the notation of the runtime, without what is inside it; never throws. */
export function inspected(value: unknown): string {
  return attempt(() => inspect(value, { depth: 0 })) ?? "what cannot be shown";
}

/** What was thrown and its causes, the outermost first: each once, at most ten. Never throws. */
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
 * What was thrown, if it is no error, or one whose texts can be read and whose causes end. Otherwise a copy, which keeps
 * of each error the texts that can be read.
 */
export function readableError(thrown: unknown): unknown {
  const causes = causesOf(thrown);
  if (causeOf(causes.at(-1)) === undefined && causes.every(isReadable)) return thrown;
  return causes.reduceRight<unknown>((cause, error) => copyOf(error, cause), undefined);
}

const TEXTS = ["name", "message", "stack", "code", "hint", "retry"] as const;

/** Whether the texts of an error are texts; a code may be a number. */
function isReadable(thrown: unknown): boolean {
  if (!isError(thrown)) return !isOpaque(thrown);
  const isWhole = attempt(() => {
    void thrown.cause;
    return TEXTS.every((key) =>
      ["string", "undefined", key === "code" ? "number" : ""].includes(typeof textIn(thrown, key)),
    );
  });
  return isWhole === true;
}

function copyOf(error: unknown, cause: unknown): unknown {
  if (!isError(error)) return isOpaque(error) ? new Error(messageOf(error)) : error;
  const options = cause === undefined ? {} : { cause };
  const texts = TEXTS.map((key) => [key, attempt(() => textIn(error, key))] as const);
  const known = Object.fromEntries(texts.filter(([, text]) => typeof text === "string"));
  if (error instanceof AgnesError) {
    const copy = attempt(() => new AgnesError(error.code, error.details, { retry: error.retry, ...options }));
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

/** Whether not even its class can be asked for. */
function isOpaque(value: unknown): boolean {
  return attempt(() => value instanceof Error) === undefined;
}

/** The cause of an error; of other values, and where it cannot be read, none. */
function causeOf(thrown: unknown): unknown {
  return isError(thrown) ? attempt(() => thrown.cause) : undefined;
}

/** What is read, or `undefined` when reading throws: it runs code of a plugin. */
function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
