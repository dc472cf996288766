import { AgnesError } from "../base/mod.ts";
import type { Cursor } from "./batch.ts";
import { parseInstant, type Instant } from "./rows/mod.ts";

/**
 * Returns the value of a cursor on a date or timestamp column, in UTC and truncated to milliseconds, so that no row is
 * missed.
 *
 * For a table without a primary key (`cursor.inclusive` is `false`), skip the rows at and before `cursor.value` yourself
 * if the source stores time with more precision than milliseconds.
 *
 * @throws `invalid_input` if the value is not a date or time
 * @example
 * ```ts
 * import { cursorDate } from "agnes/kit";
 * const cursor = { column: "updated_at", value: "2026-01-31 10:00:00.5", inclusive: true };
 * cursorDate(cursor).toISOString(); // "2026-01-31T10:00:00.500Z"
 * Math.floor(cursorDate(cursor).getTime() / 1000); // Unix seconds: 1769853600
 * ```
 */
export function cursorDate({ column, value }: Cursor): Date {
  const instant: Instant = { ms: 0, nanos: 0 };
  if (!parseInstant(value, instant)) {
    const reason = `${value} is not a date or time`;
    throw new AgnesError("invalid_input", { what: `the cursor of column ${column}`, reason });
  }
  return new Date(instant.ms);
}
