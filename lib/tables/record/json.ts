import type { JsonValue } from "../../catalog/mod.ts";

/** Whether a value is an object of fields, as JSON and YAML give it. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a value is, without the value: it may be a secret in the wrong place. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

const DEPTH_MAX = 50;
const HALF_CHARACTER = /\p{Cs}/u;

/** Whether JSON holds a value as it is: no other classes, no numbers without end, no half characters. */
export function isJson(value: unknown, depth = 0): value is JsonValue {
  if (value === null || typeof value === "boolean") return true;
  if (typeof value === "string") return !HALF_CHARACTER.test(value);
  if (typeof value === "number") return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== "object" || depth > DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return false;
  return Object.entries(value).every(([key, item]) => !HALF_CHARACTER.test(key) && isJson(item, depth + 1));
}
