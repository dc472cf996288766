import { counted } from "./counted.ts";
import { attempt, messageOf } from "./errors/mod.ts";

const DEPTH_MAX = 100;
const UNREADABLE = "(not readable)";

/**
 * Returns the details of an error as JSON values only, so that they are printed, inspected and serialised alike. Bytes
 * become their count, other objects, functions and numbers their text; keys that are symbols or not enumerable are
 * dropped, and getters are read once. Returns the details themselves if they are plain. Never throws.
 */
export function plainDetails<T extends object>(details: T): T {
  const plain = attempt(() => plainData(details));
  if (typeof plain === "object" && plain !== null && !Array.isArray(plain)) return plain as T;
  const entries = attempt(() =>
    Object.entries(details).map(([key, item]) => [key, plainData(item)] as const),
  );
  return Object.fromEntries(entries ?? []) as T;
}

function plainData(value: unknown): unknown {
  return plainValue(value, { known: new Map(), depth: 0 });
}

interface Progress {
  /** The result for each visited value; not yet final for the ancestors of the current value. */
  readonly known: Map<unknown, unknown>;
  readonly depth: number;
}

function plainValue(value: unknown, progress: Progress): unknown {
  if (value === undefined || value === null || typeof value === "string" || typeof value === "boolean")
    return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "function") return "(function)";
  if (typeof value === "bigint" || typeof value === "symbol") return value.toString();
  if (typeof value !== "object") return UNREADABLE;
  const { known, depth } = progress;
  if (known.has(value)) return known.get(value);
  if (depth === DEPTH_MAX) return "[too deep]";
  known.set(value, "[circular]");
  const plain = attempt(() => plainObject(value, { known, depth: depth + 1 })) ?? UNREADABLE;
  known.set(value, plain);
  return plain;
}

function plainObject(value: object, progress: Progress): unknown {
  if (Array.isArray(value)) {
    const items = Array.from(value as readonly unknown[], (item) => plainValue(item, progress));
    const isSame = Reflect.ownKeys(value).length === items.length + 1 && hasOnlyValues(value, items);
    return isSame ? value : items;
  }
  if (!isRecord(value)) return textOf(value);
  const entries = Object.entries(value).map(([key, item]) => [key, plainValue(item, progress)] as const);
  const plain = Object.fromEntries(entries);
  return Reflect.ownKeys(value).length === entries.length && hasOnlyValues(value, plain) ? value : plain;
}

/** Returns whether the properties are the plain ones, without getters. */
function hasOnlyValues(value: object, plain: object): boolean {
  return Object.entries(plain).every(([key, item]) => {
    const property = Object.getOwnPropertyDescriptor(value, key);
    return property !== undefined && "value" in property && property.value === item;
  });
}

function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function textOf(value: object): string {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return `(${counted(value.byteLength, "byte")})`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  return messageOf(value);
}
