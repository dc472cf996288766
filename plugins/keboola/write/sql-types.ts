import type { DescribedType } from "../tables/metadata-providers.ts";
import { describedColumnType, type ColumnType } from "../tables/types.ts";

/** Other names of types in SQL. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  TEXT: "VARCHAR",
  STRING: "VARCHAR",
  CHAR: "VARCHAR",
  BPCHAR: "VARCHAR",
  INT8: "BIGINT",
  INT64: "BIGINT",
  LONG: "BIGINT",
  FLOAT8: "DOUBLE",
  "DOUBLE PRECISION": "DOUBLE",
  BOOL: "BOOLEAN",
  LOGICAL: "BOOLEAN",
  DATETIME: "TIMESTAMP",
  TIMESTAMP_US: "TIMESTAMP",
  "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP",
  TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
  NUMERIC: "DECIMAL",
  DEC: "DECIMAL",
};

/** Types whose values the next type holds, but which Keboola does not have. */
const WIDER: Readonly<Record<string, ColumnType>> = {
  TINYINT: "BIGINT",
  INT1: "BIGINT",
  SMALLINT: "BIGINT",
  INT2: "BIGINT",
  SHORT: "BIGINT",
  INTEGER: "BIGINT",
  INT: "BIGINT",
  INT4: "BIGINT",
  SIGNED: "BIGINT",
  UTINYINT: "BIGINT",
  USMALLINT: "BIGINT",
  UINTEGER: "BIGINT",
  UBIGINT: "DECIMAL(20,0)",
  FLOAT: "DOUBLE",
  FLOAT4: "DOUBLE",
  REAL: "DOUBLE",
};

/** A type in SQL as metadata of a column, or why no metadata has exactly this type. */
export type Translation =
  | { readonly type: ColumnType; readonly described: DescribedType; readonly reason?: undefined }
  | { readonly reason: string; readonly described?: undefined };

/** Translates a type in SQL, such as `DECIMAL(12,2)`, into metadata from which `describedColumnType` returns this type. */
export function translateType(text: string): Translation {
  const { name, size } = partsOf(text);
  const wider = size === undefined ? WIDER[name] : undefined;
  if (wider !== undefined)
    return { reason: `Keboola has no ${name}; a column of type ${wider} holds its values` };
  const described = size === undefined || name === "DECIMAL" ? describedOf(name, size) : undefined;
  if (described === undefined)
    return { reason: `the metadata of Keboola has no data type for ${JSON.stringify(text)}` };
  const type = describedColumnType(described);
  if (described.basetype !== "NUMERIC") return { type, described };
  const exact = `DECIMAL(${described.length})`;
  if (type === exact) return { type, described };
  return type === "BIGINT"
    ? { reason: `Keboola describes ${exact} as an integer, whose type is BIGINT` }
    : { reason: `${exact} is not a type: it has 1 to 38 digits, and no more of them after the point` };
}

function describedOf(name: string, size: string | undefined): DescribedType | undefined {
  switch (name) {
    case "VARCHAR":
      return { basetype: "STRING", type: "VARCHAR" };
    case "BIGINT":
      return { basetype: "INTEGER", type: "BIGINT" };
    case "DOUBLE":
      return { basetype: "FLOAT", type: "DOUBLE" };
    case "BOOLEAN":
      return { basetype: "BOOLEAN", type: "BOOLEAN" };
    case "DATE":
      return { basetype: "DATE", type: "DATE" };
    case "TIMESTAMP":
      return { basetype: "TIMESTAMP", type: "TIMESTAMP_NTZ" };
    case "TIMESTAMP WITH TIME ZONE":
      return { basetype: "TIMESTAMP", type: "TIMESTAMP_TZ" };
    case "DECIMAL": {
      // The size of DECIMAL and of DECIMAL(p) in DuckDB.
      const [, precision, scale = "0"] = /^(\d{1,3})(?:,(\d{1,3}))?$/.exec(size ?? "18,3") ?? [];
      if (precision === undefined) return undefined;
      return { basetype: "NUMERIC", type: "NUMBER", length: `${Number(precision)},${Number(scale)}` };
    }
    default:
      return undefined;
  }
}

function partsOf(text: string): { readonly name: string; readonly size: string | undefined } {
  const [, written = "", size] = /^\s*([^()]*?)\s*(?:\(([^()]*)\))?\s*$/.exec(text) ?? [];
  const name = written.toUpperCase().replaceAll(/\s+/g, " ");
  const known = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name]! : name;
  return { name: known, size: size?.replaceAll(/\s/g, "") };
}
