import type { JsonValue } from "../../catalog/mod.ts";

/** Whether a value is an object of fields, as parsed from JSON or YAML. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The kind of a value for messages, without the value, which may be a misplaced secret. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const DEPTH_MAX = 50;
const LONE_SURROGATE = /\p{Cs}/u;

/** Whether JSON represents a value exactly: no class instances, infinite numbers or lone surrogates. */
export function isJson(value: unknown, depth = 0): value is JsonValue {
  if (value === null || typeof value === "boolean") return true;
  if (typeof value === "string") return !LONE_SURROGATE.test(value);
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object" || depth > DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return false;
  return Object.entries(value).every(([key, item]) => !LONE_SURROGATE.test(key) && isJson(item, depth + 1));
}
