import type { TypeCategory } from "./types.ts";

/** A column of a table to profile. */
export interface ProfiledColumn {
  readonly name: string;
  readonly type: string;
  readonly category: TypeCategory;
  /** Whether its values may be NaN or infinite. */
  readonly mayBeInfinite: boolean;
  /** The SQL for the length of a value, for the category `STRING`. */
  readonly length: (value: string) => string;
}

const NUMERIC =
  /^(?:U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|BIGNUM|DECIMAL\(\d+,\s?\d+\))$/;
const TIMESTAMP = /^TIMESTAMP(?:_S|_MS|_NS| WITH TIME ZONE|TZ)?$/;

/** Returns a column with its category; a nested type or one that is not known is treated as text. */
export function profiledColumn({
  name,
  type,
}: {
  readonly name: string;
  readonly type: string;
}): ProfiledColumn {
  const category = categoryOf(type);
  const isText = type === "VARCHAR" || type === "JSON";
  return {
    name,
    type,
    category,
    mayBeInfinite: /^(?:FLOAT|DOUBLE)$/.test(type) || category === "DATE" || category === "TIMESTAMP",
    length: (value) =>
      type === "BLOB" ? `octet_length(${value})` : `length(${isText ? value : `CAST(${value} AS VARCHAR)`})`,
  };
}

function categoryOf(type: string): TypeCategory {
  if (NUMERIC.test(type)) return "NUMERIC";
  if (type === "DATE") return "DATE";
  if (TIMESTAMP.test(type)) return "TIMESTAMP";
  return type === "BOOLEAN" ? "BOOLEAN" : "STRING";
}

/** Whether its values are whole numbers. */
export function isWhole({ type }: ProfiledColumn): boolean {
  return /INT(?:EGER)?$|^BIGNUM$/.test(type);
}

/** Whether the squares of its values may overflow a DOUBLE. */
export function isWide({ type }: ProfiledColumn): boolean {
  return type === "DOUBLE" || type === "BIGNUM";
}

/** The SQL of a number as DOUBLE; NULL if it is out of its range, which only a BIGNUM can be. */
export function asDouble({ type }: Pick<ProfiledColumn, "type">, value: string): string {
  // TRY_CAST of a BIGNUM fails.
  return type === "BIGNUM" ? `TRY_CAST(CAST(${value} AS VARCHAR) AS DOUBLE)` : `CAST(${value} AS DOUBLE)`;
}

/** Whether the sum of its values may overflow the integer in which DuckDB adds them. */
export function mayOverflow({ type }: ProfiledColumn): boolean {
  const [, digits] = /^DECIMAL\((\d+)/.exec(type) ?? [];
  return /^(?:U?HUGEINT|BIGNUM)$/.test(type) || Number(digits ?? 0) > 18;
}
