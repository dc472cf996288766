import type { Row } from "../../kit/mod.ts";

/** The equality and order of the values of a batch of changes as they will be stored. */
export interface StoredOrder {
  /** Whether the values of a row could be converted. Only rejected rows of a replacement may have others. */
  has(row: Row): boolean;
  /** The rank of a value in its column: equal values have the same rank, greater values a greater one; null if null. */
  rankOf(row: Row, column: string): number | null;
}

/** An identity of rows: two rows have the same one if their values in some columns are equal. */
export type Identity = string | number;

/** Returns a function that identifies rows by their values in these columns. */
export function identityOf(order: StoredOrder, columns: readonly string[]): (row: Row) => Identity {
  const [only, ...others] = columns;
  if (only !== undefined && others.length === 0) return (row) => order.rankOf(row, only) ?? -1;
  return (row) => columns.map((column) => order.rankOf(row, column) ?? -1).join(",");
}
