import { createHash } from "node:crypto";

/** Returns a hash of a value, equal for equal values. */
export function digest(value: unknown): string {
  const text = JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? `${one}n` : one));
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
