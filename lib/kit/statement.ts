import type { Filter } from "./batch.ts";
import type { TableInfo } from "./table.ts";

/**
 * A SELECT over tables of one source, which `statementSql` writes in the SQL of that source. It has only constructs whose meaning
 * is defined here, as DuckDB evaluates them; a source translates it only if it evaluates all of them in the same manner.
 *
 * @example
 * ```ts
 * import { int64, table, type SourceStatement } from "agnes/kit";
 *
 * // SELECT count(*) FROM orders
 * const orders = table("orders", { id: int64() });
 * const count: SourceStatement = {
 *   from: { kind: "table", alias: "t0", table: orders, columns: ["id"], filter: [] },
 *   where: null,
 *   groups: [],
 *   having: null,
 *   columns: [
 *     { expression: { kind: "count", type: "BIGINT", operand: null, isDistinct: false }, isText: false },
 *   ],
 *   isDistinct: false,
 *   order: [],
 *   limit: null,
 *   offset: 0,
 * };
 * ```
 */
export interface SourceStatement {
  readonly from: SourceRelation;
  /** Rows are kept if it is true. Null: all are. */
  readonly where: SourceExpression | null;
  /** The expressions of GROUP BY, where nulls are one group; empty: all rows are one group; null: rows are not grouped. */
  readonly groups: readonly SourceExpression[] | null;
  /** Groups are kept if it is true. Null: all are. */
  readonly having: SourceExpression | null;
  /** The columns of the result, named `c0`, `c1` and so on. At least one. */
  readonly columns: readonly SourceColumn[];
  /** Whether of equal rows one is kept; nulls are equal. */
  readonly isDistinct: boolean;
  /** The order of the rows to which the limit applies; empty if there is no limit. */
  readonly order: readonly SourceOrder[];
  /** The maximum number of rows. Null: all. */
  readonly limit: number | null;
  /** The number of rows to skip first. It is 0 if there is no limit. */
  readonly offset: number;
}

/** A column of the result of a `SourceStatement`. */
export interface SourceColumn {
  readonly expression: SourceExpression;
  /** Whether its number is returned as text with all digits and without an exponent, because no column type holds it exactly. */
  readonly isText: boolean;
}

/** A key of the order of a `SourceStatement`. Text is ordered by its bytes in UTF-8. */
export interface SourceOrder {
  /** The index of a column of the result. */
  readonly column: number;
  readonly isDescending: boolean;
  readonly nullsFirst: boolean;
}

/**
 * The rows that a `SourceStatement` reads.
 *
 * - `table`: a table, with the columns that are used. Only rows that match `filter` are needed, others may be returned.
 * - `select`: the result of another statement.
 * - `join`: the pairs of rows for which `on` is true; with `isLeft` also each other row on the left, with nulls. It has at least one
 *   equality of both sides.
 */
export type SourceRelation =
  | {
      readonly kind: "table";
      /** Unique in the whole statement: a letter and a number. */
      readonly alias: string;
      readonly table: TableInfo;
      /** At least one. */
      readonly columns: readonly string[];
      readonly filter: readonly Filter[];
    }
  | { readonly kind: "select"; readonly alias: string; readonly statement: SourceStatement }
  | {
      readonly kind: "join";
      readonly isLeft: boolean;
      readonly left: SourceRelation;
      readonly right: SourceRelation;
      readonly on: SourceExpression;
    };

/** The operators of `compare`: =, <>, <, <=, > and >=. */
export type SourceComparison = "eq" | "ne" | "lt" | "le" | "gt" | "ge";

/**
 * An expression of a `SourceStatement`, with its DuckDB type: `BIGINT`, `DECIMAL(12,2)`; `NULL` for a literal without a type. As in
 * standard SQL, a comparison with null returns null. It compares two values of one kind of type: integers, decimals, text by its
 * bytes in UTF-8, booleans, dates, timestamps without and with zone.
 *
 * - `column`: a column of the relation with the alias `relation`.
 * - `literal`: the value as a filter has it (see `FilterValue`), in the type `type`.
 * - `in`: whether a value equals one of the values.
 * - `case`: the value of the first branch whose condition is true. Other branches are not evaluated.
 * - `coalesce`: the first value that is not null.
 * - `arithmetic`: of 64-bit integers; an overflow is an error.
 * - `count`: the number of values that are not null; without an operand the number of rows.
 * - `sum`: exact, of any size: of integers a `HUGEINT`, of decimals a decimal of 38 digits. Null without values.
 * - `min` and `max`: null without values.
 */
export type SourceExpression = { readonly type: string } & (
  | { readonly kind: "column"; readonly relation: string; readonly column: string }
  | { readonly kind: "literal"; readonly value: string | number | bigint | boolean | null }
  | {
      readonly kind: "compare";
      readonly operator: SourceComparison;
      readonly left: SourceExpression;
      readonly right: SourceExpression;
    }
  | { readonly kind: "and" | "or" | "coalesce"; readonly operands: readonly SourceExpression[] }
  | { readonly kind: "not" | "is_null"; readonly operand: SourceExpression }
  | { readonly kind: "in"; readonly operand: SourceExpression; readonly values: readonly SourceExpression[] }
  | {
      readonly kind: "case";
      readonly branches: readonly { readonly when: SourceExpression; readonly value: SourceExpression }[];
      readonly otherwise: SourceExpression;
    }
  | {
      readonly kind: "arithmetic";
      readonly operator: "+" | "-" | "*";
      readonly left: SourceExpression;
      readonly right: SourceExpression;
    }
  | { readonly kind: "count"; readonly operand: SourceExpression | null; readonly isDistinct: boolean }
  | { readonly kind: "sum"; readonly operand: SourceExpression; readonly isDistinct: boolean }
  | { readonly kind: "min" | "max"; readonly operand: SourceExpression }
);
