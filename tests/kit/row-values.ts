import { AgnesError } from "../../lib/base/mod.ts";
import { createRowBuilder, table, type Column } from "../../lib/kit/mod.ts";

/** Returns the column built from the values. */
export function built(column: Column, values: readonly unknown[]): unknown[] {
  const builder = createRowBuilder(table("t", { c: column }));
  const batches = [...builder.append(values.map((c) => ({ c }))), ...builder.finish()];
  return batches.flatMap((batch) => Array.from(batch.getChildAt(0)!) as unknown[]);
}

/** Returns why a column rejects a value. */
export function refusal(column: Column, value: unknown): string {
  try {
    built(column, [value]);
  } catch (error) {
    if (error instanceof AgnesError && error.code === "value_invalid") {
      return (error as AgnesError<"value_invalid">).details.reason;
    }
    throw error;
  }
  throw new Error(`the value was taken: ${String(value)}`);
}
