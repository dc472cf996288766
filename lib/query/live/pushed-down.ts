/**
 * The request to the connector of a live table. If the query needs only the column names and types, `limit` is 0 and
 * `columns` is empty.
 */
export interface PushedDown {
  /** The requested columns; empty if only the number of rows was needed. */
  readonly columns: readonly string[];
  /** The conditions as SQL, without those of `keys`. */
  readonly conditions: readonly string[];
  /** The columns that were restricted to the values of a join key, and the number of these values. */
  readonly keys: readonly { readonly column: string; readonly values: number }[];
  /** The maximum number of rows; null: all. */
  readonly limit: number | null;
  /** The number of rows that the connector has returned so far. */
  readonly rows: number;
}
