/** A replacer for `JSON.stringify` that writes each `bigint` as text, because JSON readers round large numbers. */
export function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
