/** How deep values are copied; what lies deeper, or leads back to itself, stays shared. */
const DEPTH_MAX = 50;

/**
 * A copy of a row that its owner may go on to change: with its own keys, and the columns that it has from elsewhere,
 * such as the getters of its class. What is no row stays as it is.
 *
 * @param columns whose values are copied with what is inside them. Default: its own keys
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
  // Values of other classes, such as decimals, are not changed by those who use them.
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyValue(item, depth - 1)]));
}
