import { inspect, types } from "node:util";

import { AgnesError, attempt, inspected, readableError } from "./errors/mod.ts";
import { plainDetails } from "./plain-data.ts";
import { holdsSecret, redact } from "./redact.ts";

/** A shorter secret may be ordinary text, such as a password `postgres` and a table `postgres_jobs`. */
const NAME_SECRET_LENGTH_MIN = 12;

/**
 * Redacts secrets in a value: in its strings, lists and plain objects, including keys.
 * Returns the value itself if nothing was redacted. Circular references and values deeper than 100 levels are replaced
 * by a placeholder.
 */
export function redactValue<T>(value: T, secrets: Iterable<string>): T {
  return cleanValue(value, { secrets: [...secrets], clean: new Map(), depth: 0 }) as T;
}

/** Redacts an error by rebuilding it from its redacted details; returns the error itself if it contains no secret. */
export function redactError<E extends AgnesError>(error: E, secrets: Iterable<string>): E {
  return redactReadable(readableError(error) as E, [...secrets]);
}

function redactReadable<E extends AgnesError>(error: E, hidden: readonly string[]): E {
  // A forged object of the class has none of its private state.
  return (attempt(() => redactIntact(error, hidden)) ??
    new AgnesError("internal", { what: UNREADABLE })) as E;
}

const UNREADABLE = "an error that cannot be read";

function redactIntact<E extends AgnesError>(error: E, hidden: readonly string[]): E {
  const plain = plainDetails(error.details);
  const details = redactValue(plain, hidden);
  const cause = redactCause(error.cause, hidden);
  const stack = redact(error.stack ?? "", hidden);
  const texts = { message: redact(error.message, hidden), hint: redact(textOf(error.hint), hidden) };
  const isClean =
    stack === (error.stack ?? "") && texts.hint === error.hint && texts.message === error.message;
  if (isClean && details === error.details && cause === error.cause && !hasExtras(error)) return error;
  const options = cause === undefined ? {} : { cause };
  // Not the method of the error: a plugin may have replaced it.
  const rebuild = (...args: Parameters<AgnesError["withDetails"]>) =>
    AgnesError.prototype.withDetails.call(error, ...args);
  // Texts made of details with a secret may contain a part of it.
  const isLeaking = details !== plain;
  const fresh = isLeaking ? textsOf(() => rebuild(details), error.code, hidden) : texts;
  const clean = rebuild(details, { ...options, texts: fresh });
  const cleanStack = isLeaking ? stack.replaceAll(texts.message, () => fresh.message) : stack;
  return Object.assign(clean, { stack: cleanStack }) as unknown as E;
}

/** Returns the redacted texts of an error; those of a plugin may contain more than its details, or fail. */
function textsOf(
  make: () => AgnesError,
  code: string,
  hidden: readonly string[],
): { readonly message: string; readonly hint: string } {
  const made = attempt(() => {
    const { message, hint } = make();
    return { message: redact(message, hidden), hint: redact(textOf(hint), hidden) };
  });
  return (
    made ?? {
      message: redact(
        `the source failed with ${code}, and the message of this error cannot be shown`,
        hidden,
      ),
      hint: "Report this to the author of the plugin.",
    }
  );
}

/** Returns the hint of an error, also of a plugin that returned another value. */
function textOf(hint: unknown): string {
  return typeof hint === "string" ? hint : "";
}

const ERROR_KEYS: ReadonlySet<PropertyKey> = new Set([
  ...Reflect.ownKeys(new AgnesError("internal", { what: "" }, { cause: null })),
  // Bun adds them.
  "line",
  "column",
  "sourceURL",
  "originalLine",
  "originalColumn",
]);

/** Whether a plugin added properties to an error, or made it of a class of its own. */
function hasExtras(error: AgnesError): boolean {
  const isOwn = Object.getPrototypeOf(error) !== AgnesError.prototype;
  return isOwn || Reflect.ownKeys(error).some((key) => !ERROR_KEYS.has(key));
}

/**
 * Returns the thrown value or, if it contains a secret, an error with only its redacted name, message and stack.
 * An `AgnesError` stays one. The result is always safe to read; see `readableError`.
 */
export function redactThrown(thrown: unknown, secrets: Iterable<string>): unknown {
  return redactCause(readableError(thrown), [...secrets]);
}

function redactCause(thrown: unknown, hidden: readonly string[]): unknown {
  if (thrown === undefined) return undefined;
  if (thrown instanceof AgnesError) return redactReadable(thrown, hidden);
  const all = everythingIn(thrown);
  // Reading a proxy runs its code, also after this check.
  if (all !== null && redact(all, hidden) === all && !types.isProxy(thrown)) return thrown;
  if (!(thrown instanceof Error)) return new Error(redact(inspected(thrown), hidden));
  const clean = new Error(redact(thrown.message, hidden));
  clean.name = redact(thrown.name, hidden);
  clean.stack = redact(thrown.stack ?? "", hidden);
  return clean;
}

/** Returns all texts of the thrown value; null if there are too many, or reading them fails. */
function everythingIn(thrown: unknown): string | null {
  try {
    if (!isSmall(thrown)) return null;
    const all = inspect(thrown, {
      depth: DEPTH_SHOWN,
      showHidden: true,
      maxStringLength: null,
      maxArrayLength: 1000,
    });
    return thrown instanceof Error ? `${all}\n${thrown.message}\n${thrown.stack ?? ""}` : all;
  } catch {
    return null;
  }
}

const DEPTH_SHOWN = 6;
const VALUES_SHOWN_MAX = 20_000;

/** Whether the output of `inspect` is limited: it repeats shared values. */
function isSmall(value: unknown): boolean {
  const todo: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }];
  let count = 0;
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value: one, depth } = next;
    count += 1;
    if (count + todo.length > VALUES_SHOWN_MAX) return false;
    if (typeof one !== "object" || one === null || depth > DEPTH_SHOWN) continue;
    const inside: readonly unknown[] = ArrayBuffer.isView(one)
      ? []
      : one instanceof Map || one instanceof Set
        ? [...one].flat()
        : Object.values(Object.getOwnPropertyDescriptors(one)).map((property) => property.value as unknown);
    for (const item of inside) todo.push({ value: item, depth: depth + 1 });
  }
  return true;
}

/** Whether a name, which is stored and displayed, contains a secret of at least 12 characters. */
export function nameHoldsSecret(name: string, secrets: Iterable<string>): boolean {
  return holdsSecret(
    name,
    [...secrets].filter(({ length }) => length >= NAME_SECRET_LENGTH_MIN),
  );
}

/** The state of a redaction. */
interface Progress {
  readonly secrets: readonly string[];
  /** The result for each visited value; not yet set for the ancestors of the current value. */
  readonly clean: Map<unknown, unknown>;
  readonly depth: number;
}

const DEPTH_MAX = 100;

function cleanValue(value: unknown, { secrets, clean, depth }: Progress): unknown {
  if (typeof value === "string") return redact(value, secrets);
  if (typeof value !== "object" || value === null) return value;
  if (clean.has(value)) return clean.get(value);
  if (value instanceof Error) return redactThrown(value, secrets);
  if (!Array.isArray(value) && !isPlain(value)) return value;
  if (depth === DEPTH_MAX) return "[too deep]";
  clean.set(value, "[circular]");
  const found = cleanItems(value, { secrets, clean, depth: depth + 1 });
  clean.set(value, found);
  return found;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function cleanItems(value: object, progress: Progress): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => cleanValue(item, progress));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  const entries = Object.entries(value);
  const clean = entries.map(
    ([key, item]) => [redact(key, progress.secrets), cleanValue(item, progress)] as const,
  );
  const isSame = clean.every(([key, item], at) => key === entries[at]![0] && item === entries[at]![1]);
  return isSame ? value : Object.fromEntries(clean);
}
