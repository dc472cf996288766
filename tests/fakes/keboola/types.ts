/** A value as it is stored: text; null only in columns with a type. */
export type CellValue = string | null;

/** A column of a table with native types. */
export interface TypedColumn {
  readonly name: string;
  /** The base type of the backend, such as `NUMBER`, `VARCHAR`, `DATE`, `TIMESTAMP_NTZ`, `BOOLEAN`. */
  readonly type: string;
  /** A number or a text such as `38,9`, as the API returns it. Default: none. */
  readonly length?: number | string;
  /** Default: `true`; `false` for a column of the key. */
  readonly nullable?: boolean;
}

/** What values of a type are. */
export type TypeKind = "text" | "number" | "boolean" | "date" | "timestamp";

/** Returns the kind of a type of Snowflake or BigQuery. */
export function kindOf(type: string): TypeKind {
  const name = type.toUpperCase();
  if (/^(NUM|DEC|INT|BIG|SMALLINT|TINYINT|BYTEINT|FLOAT|DOUBLE|REAL)/.test(name)) return "number";
  if (name.startsWith("BOOL")) return "boolean";
  if (name === "DATE") return "date";
  return /^(TIMESTAMP|DATETIME)/.test(name) ? "timestamp" : "text";
}

/** Returns the portable type that the API derives from a type of the backend. */
export function baseTypeOf({ type, length }: TypedColumn): string {
  const name = type.toUpperCase();
  switch (kindOf(type)) {
    case "number":
      if (/^(FLOAT|DOUBLE|REAL)/.test(name)) return "FLOAT";
      if (/INT/.test(name)) return "INTEGER";
      return /,\s*[1-9]/.test(String(length ?? "38,9")) ? "NUMERIC" : "INTEGER";
    case "boolean":
      return "BOOLEAN";
    case "date":
      return "DATE";
    case "timestamp":
      return "TIMESTAMP";
    case "text":
      return "STRING";
  }
}

const PATTERNS: Readonly<Record<TypeKind, RegExp>> = {
  text: /^/,
  number: /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$|^(nan|-?inf)$/i,
  boolean: /^(true|false|t|f|yes|no|y|n|on|off|1|0)$/i,
  date: /^\d{4}-\d\d-\d\d$/,
  timestamp: /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?( ?(Z|[+-]\d\d:?\d\d))?$/,
};

/** Whether a text can be loaded into a column of the type. */
export function fits(text: string, type: string): boolean {
  return PATTERNS[kindOf(type)].test(text);
}
