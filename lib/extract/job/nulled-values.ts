import { counted } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";
import type { TablePlan } from "./plan.ts";

/** The values of one read that did not fit their columns and were set to null, counted by column. */
export class NulledValues {
  readonly #columns = new Map<string, { readonly type: string; count: number }>();

  get isEmpty(): boolean {
    return this.#columns.size === 0;
  }

  /** @param type the type that the values do not fit */
  add(column: string, type: string, count = 1): void {
    const known = this.#columns.get(column);
    if (known === undefined) this.#columns.set(column, { type, count });
    else known.count += count;
  }

  /** Forgets all values, for a read that starts again. */
  reset(): void {
    this.#columns.clear();
  }

  /** Notes for the owner of the table. */
  get notes(): readonly string[] {
    return [...this.#columns].map(([column, { type, count }]) => {
      const verbs = count === 1 ? (["is", "was"] as const) : (["are", "were"] as const);
      return `${column}: ${counted(count, "value")} ${verbs[0]} not ${type} and ${verbs[1]} set to null`;
    });
  }
}

/** Creates the counts of a table; none if values that do not fit are errors. */
export function nulledOf({ invalidValues }: Pick<TablePlan, "invalidValues">): {
  readonly nulled?: NulledValues;
} {
  return invalidValues === "null" ? { nulled: new NulledValues() } : {};
}

/** The parts of a plan that decide which values may become null. */
export type Described = Pick<TablePlan, "primaryKey" | "cursor"> & {
  readonly info: Pick<TableInfo, "schema">;
};

/**
 * The names of the columns whose values may become null: those that are nullable, except the key and the cursor, without
 * which a row could not be found again.
 */
export function nullableColumns({ info, primaryKey, cursor }: Described): Set<string> {
  const nullable = info.schema.fields.filter((field) => field.nullable).map(({ name }) => String(name));
  return new Set(nullable.filter((name) => !primaryKey.includes(name) && name !== cursor));
}
