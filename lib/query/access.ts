import { AgnesError } from "../base/mod.ts";
import type { AccessOptions } from "./queries.ts";

/** The tables a caller may access; null: all. */
export type Access = ReadonlySet<string> | null;

/**
 * Returns a checked copy of the tables a caller may access, which the caller cannot change while the query runs.
 * @throws `invalid_input` for a value that is not a Set
 */
export function accessOf({ access = null }: AccessOptions): Access {
  if (access === null) return null;
  const names: readonly unknown[] = access instanceof Set ? [...access] : [null];
  if (names.every((name) => typeof name === "string")) return new Set(names);
  throw new AgnesError("invalid_input", { what: "access", reason: "it is not a Set of table names" });
}
