import { inspect, types } from "node:util";

import { AgnesError, attempt, inspected, readableError } from "./errors/mod.ts";
import { plainDetails } from "./plain-data.ts";
import { holdsSecret, redact } from "./redact.ts";
import { secretSpellings } from "./secret-forms.ts";

/** A shorter secret may be ordinary text, such as a password `postgres` and a table `postgres_jobs`. */
const NAME_SECRET_LENGTH_MIN = 12;
/** A prefix of a secret of at least this length, before `…`, is a truncated secret. */
const CUT_LENGTH_MIN = 6;

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
  const stack = cleanText(error.stack ?? "", hidden);
  const texts = { message: cleanText(error.message, hidden), hint: cleanText(textOf(error.hint), hidden) };
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
    return { message: cleanText(message, hidden), hint: cleanText(textOf(hint), hidden) };
  });
  return (
    made ?? {
      message: cleanText(
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
  if (all !== null && cleanText(all, hidden) === all && !types.isProxy(thrown)) return thrown;
  if (!(thrown instanceof Error)) return new Error(cleanText(inspected(thrown), hidden));
  const clean = new Error(cleanText(thrown.message, hidden));
  clean.name = cleanText(thrown.name, hidden);
  clean.stack = cleanText(thrown.stack ?? "", hidden);
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
  if (typeof value === "string") return cleanText(value, secrets);
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
    ([key, item]) => [cleanText(key, progress.secrets), cleanValue(item, progress)] as const,
  );
  const isSame = clean.every(([key, item], at) => key === entries[at]![0] && item === entries[at]![1]);
  return isSame ? value : Object.fromEntries(clean);
}

function cleanText(text: string, secrets: readonly string[]): string {
  const clean = redact(text, secrets);
  return clean.includes("…") ? clean.split("…").map(withoutCut(secrets)).join("…") : clean;
}

/** Redacts the prefix of a secret at the end of truncated text. */
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

/** Returns the length of the longest secret prefix at the end of the text. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= CUT_LENGTH_MIN; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) return length;
  }
  return 0;
}
