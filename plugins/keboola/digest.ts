import { createHash } from "node:crypto";

/** Returns a hash of a JSON value, equal for equal values. */
export function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}
