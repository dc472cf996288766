/** The maximum depth of copies; deeper values stay shared, which also ends circular ones. */
const DEPTH_MAX = 50;

/**
 * Copies a row that its owner may change later: its own keys, and inherited columns such as getters of its class.
 * Values that are not rows are returned unchanged.
 *
 * @param columns the columns to copy deeply. Default: the row's own keys
 */
export function copyRow<T>(row: T, columns?: readonly string[]): T {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return row;
  const copy = { ...row } as Record<string, unknown>;
  for (const name of columns ?? Object.keys(copy)) {
    const value = (row as Readonly<Record<string, unknown>>)[name];
    if (typeof value === "object" && value !== null) copy[name] = copyValue(value, DEPTH_MAX);
    else if (value !== undefined) copy[name] = value;
  }
  return copy as T;
}

function copyValue(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null || depth === 0) return value;
  if (Array.isArray(value)) return value.map((item) => copyValue(item, depth - 1));
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (value instanceof Date) return new Date(value);
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [copyValue(key, depth - 1), copyValue(item, depth - 1)]));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // Values of other classes, such as decimals, are treated as immutable.
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyValue(item, depth - 1)]));
}
