import type { DataType } from "apache-arrow";

import type { FilterValue } from "./batch.ts";

/**
 * Values of one type as one parameter, such as the keys of a semi-join: `IN UNNEST(@keys)` in BigQuery,
 * `IN (SELECT unnest($keys))` in DuckDB. The list may be empty, so the type is always given.
 *
 * @example
 * ```ts
 * import { arrow, type QueryArray } from "agnes/kit";
 * const days: QueryArray = { type: new arrow.DateDay(), values: ["2026-01-31", "2026-02-28"] };
 * ```
 */
export interface QueryArray {
  /** The type of each value: boolean, integer, floating-point, decimal, text, date or timestamp. */
  readonly type: DataType;
  /**
   * The values, none of which is null. Those of integers are `bigint`, of decimals, dates and timestamps text in DuckDB's
   * format: `12.50`, `2026-01-31`, `2026-01-31 10:00:00.5`, with a time zone `2026-01-31 10:00:00.5+00`.
   */
  readonly values: readonly FilterValue[];
}

/** A value of a query parameter. A whole number is an integer, a `Date` is a timestamp in UTC. */
export type QueryParameter = FilterValue | QueryArray | null;

/**
 * Whether a parameter is an array.
 *
 * @example
 * ```ts
 * import { isQueryArray, type QueryParameter } from "agnes/kit";
 * const count = (parameter: QueryParameter) => (isQueryArray(parameter) ? parameter.values.length : 1);
 * ```
 */
export function isQueryArray(parameter: QueryParameter): parameter is QueryArray {
  return typeof parameter === "object" && parameter !== null && !(parameter instanceof Date);
}
