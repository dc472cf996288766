import type { QueryParameter } from "./types.ts";

/** DuckDB types of the columns whose conditions the fake evaluates. All other values are kept as the JSON of their cell. */
const COLUMN_TYPES: Readonly<Record<string, string>> = {
  STRING: "VARCHAR",
  INTEGER: "BIGINT",
  INT64: "BIGINT",
  FLOAT: "DOUBLE",
  FLOAT64: "DOUBLE",
  BOOLEAN: "BOOLEAN",
  BOOL: "BOOLEAN",
  NUMERIC: "DECIMAL(38,9)",
  BIGNUMERIC: "DECIMAL(38,9)",
  DATE: "DATE",
  DATETIME: "TIMESTAMP",
  TIMESTAMP: "TIMESTAMPTZ",
};

/** The names of types in a result's schema, which are those of legacy SQL. */
const RESULT_TYPES: readonly (readonly [RegExp, string])[] = [
  [/INT/, "INTEGER"],
  [/^DECIMAL/, "NUMERIC"],
  [/^(DOUBLE|FLOAT)/, "FLOAT"],
  [/^BOOLEAN/, "BOOLEAN"],
  [/^TIMESTAMP WITH/, "TIMESTAMP"],
  [/^TIMESTAMP/, "DATETIME"],
  [/^DATE/, "DATE"],
];

/** The DuckDB type of a column; undefined for one that is kept as JSON. */
export function columnType({
  type,
  mode,
}: {
  readonly type: string;
  readonly mode?: string;
}): string | undefined {
  return mode === "REPEATED" || type === "BIGNUMERIC" ? undefined : COLUMN_TYPES[type];
}

/** The type in a result's schema for a type of DuckDB. */
export function resultType(duckdbType: string): string {
  return RESULT_TYPES.find(([pattern]) => pattern.test(duckdbType))?.[1] ?? "STRING";
}

/** The SQL for DuckDB of a SELECT in GoogleSQL that only has names, literals and operators that both have. */
export function toDuckDB(sql: string, project: string, parameters: readonly QueryParameter[]): string {
  const types = new Map(
    parameters.map(({ name, parameterType: { type, arrayType } }) => [
      name,
      arrayType === undefined ? COLUMN_TYPES[type] : `${COLUMN_TYPES[arrayType.type]}[]`,
    ]),
  );
  return sql
    .replaceAll(/\bIN UNNEST\(@(\w+)\)/g, "IN (SELECT unnest(@$1))")
    .replaceAll(/\bFROM UNNEST\(@(\w+)\) AS (\w+)/g, "FROM (SELECT unnest(@$1) AS $2)")
    .replaceAll(/'((?:[^'\\]|\\.)*)'/gs, (_, text: string) => `'${unescaped(text).replaceAll("'", "''")}'`)
    .replaceAll(`\`${project}\`.`, "")
    .replaceAll(/`([^`]*)`/g, '"$1"')
    .replaceAll(/\bBIGNUMERIC '([^']*)'/g, "CAST('$1' AS DECIMAL(38,9))")
    .replaceAll(/ AS BIGNUMERIC\)/g, " AS DECIMAL(38,9))")
    .replaceAll("SAFE.PARSE_DATE('%Y%m%d', CONCAT", "CAST(try_strptime(CONCAT")
    .replaceAll('"_TABLE_SUFFIX"))', "\"_TABLE_SUFFIX\"), '%Y%m%d') AS DATE)")
    .replaceAll(/REGEXP_CONTAINS\(([^,]+), r'/g, "regexp_matches($1, '")
    .replaceAll(/ FOR SYSTEM_TIME AS OF @\w+/g, "")
    .replaceAll(/\bTIMESTAMP '/g, "TIMESTAMPTZ '")
    .replaceAll(/\bDATETIME '/g, "TIMESTAMP '")
    .replaceAll(/@(\w+)/g, (_, name: string) => `CAST($${name} AS ${types.get(name) ?? "VARCHAR"})`);
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/gs, (_, one: string) => ({ n: "\n", r: "\r" })[one] ?? one);
}

/** The kind of a statement, by its first word. */
export function statementType(sql: string): string {
  if (/;\s*\S/.test(sql)) return "SCRIPT";
  const word = /^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? "";
  return word === "WITH" ? "SELECT" : word;
}
