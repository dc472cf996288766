/** What the connector of a live table was asked for; `limit` 0 and no column when only its columns mattered. */
export interface PushedDown {
  /** Empty when only the number of rows was wanted. */
  readonly columns: readonly string[];
  /** Conditions as SQL, without those of `keys`. */
  readonly conditions: readonly string[];
  /** Columns of which only the values of a join key were asked for, and how many values that were. */
  readonly keys: readonly { readonly column: string; readonly values: number }[];
  readonly limit: number | null;
  /** Rows that the connector gave, until now. */
  readonly rows: number;
}
