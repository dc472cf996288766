import type { SqlPlace } from "../base/mod.ts";
import { parseSql, renderSql, type SelectFacts } from "../sql/mod.ts";
import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";
import { quotedTable } from "./catalog.ts";
import type { PlacedFacts } from "./parse-select.ts";
import { refuse } from "./refuse.ts";
import type { Lease } from "./run.ts";

/** Checks of a query that depend on the types of its tables or of its result. */
export interface TypeChecks {
  /** Set if VARIANT may occur, so that JSON must not. */
  readonly variant: {
    readonly named: boolean;
    readonly json: boolean;
    /** The place of the type in the statement. */
    readonly place: SqlPlace | undefined;
  } | null;
  /** Whether the result may have a column of DuckDB's type TYPE, which the client can only read as text. */
  readonly hasTypes: boolean;
}

/** Functions that cast a value to the type of another value, such as a column of a table. */
const CASTS = new Set(["cast_to_type", "replace_type"]);

/** With 250 levels per expression, half the depth at which DuckDB was observed to crash. */
const VARIANTS_MAX = 20;

const JSON_ADVICE =
  "Extract the fields from the JSON first: DuckDB crashes when it casts deeply nested JSON to VARIANT.";

/**
 * Returns the type checks to run before a query; most queries need none.
 * @throws `sql_not_allowed` if the statement alone allows unbounded nesting of VARIANT
 */
export function typeChecksOf({ variant, functions, placeOfToken }: PlacedFacts): TypeChecks {
  const { json, repeats } = variant;
  const named = variant.named > 0;
  const place = named ? placeOfToken(/^"?variant"?$/i) : undefined;
  const functionNames = functions.map(({ name }) => name.toLowerCase());
  if (named && json) refuse("it uses VARIANT and JSON", JSON_ADVICE, place);
  if (named && repeats) {
    refuse(
      "it uses VARIANT in a recursion or reduction",
      "Cast the result instead: DuckDB crashes on deeply nested VARIANT values.",
      place,
    );
  }
  if (variant.named > VARIANTS_MAX) {
    refuse(
      `it uses the type VARIANT more than ${VARIANTS_MAX} times`,
      "Use it less often: DuckDB crashes on deeply nested VARIANT values.",
    );
  }
  return {
    variant: named || functionNames.some((name) => CASTS.has(name)) ? { named, json, place } : null,
    hasTypes: hasTypes(functionNames),
  };
}

/** Returns the type checks of unrestricted SQL. */
export function trustedTypeChecks({ functions }: SelectFacts): TypeChecks {
  return { variant: null, hasTypes: hasTypes(functions.map(({ name }) => name.toLowerCase())) };
}

function hasTypes(functions: readonly string[]): boolean {
  return functions.includes("get_type") || functions.includes("make_type");
}

/**
 * Checks the types of a query, if necessary.
 * @returns the SQL to run
 * @throws `sql_not_allowed`
 */
export async function checkTypes(
  { connection, tables }: Lease,
  sql: string,
  { variant, hasTypes: mayHaveTypes }: TypeChecks,
): Promise<string> {
  if (variant !== null) {
    const types: string[] = [];
    for (const table of tables)
      types.push(
        ...(await columnsOf(connection, `SELECT * FROM ${quotedTable(table)}`)).map(({ type }) => type),
      );
    const json = variant.json || types.some((type) => containsType(type, "JSON"));
    if (json && (variant.named || types.some((type) => containsType(type, "VARIANT")))) {
      refuse("it uses VARIANT and its tables have JSON columns", JSON_ADVICE, variant.place);
    }
  }
  return mayHaveTypes ? withTypesAsText(connection, sql) : sql;
}

async function withTypesAsText(connection: Connection, sql: string): Promise<string> {
  const parsed = await parseSql(connection, sql);
  if (parsed.kind !== "select") return sql;
  const select = await renderSql(connection, parsed.tree);
  const columns = await columnsOf(connection, select);
  if (!columns.some(({ type }) => containsType(type, "TYPE"))) return sql;
  const projections = columns.map(({ name, type }, at) => {
    if (!containsType(type, "TYPE")) return `c${at} AS ${quoteIdentifier(name)}`;
    const list = /^TYPE((?:\[\d*\])*)$/.exec(type);
    if (list === null) {
      return refuse(
        `its column ${quoteIdentifier(name)} contains values of the type TYPE`,
        "Cast them to VARCHAR.",
      );
    }
    return `c${at}::VARCHAR${list[1]!} AS ${quoteIdentifier(name)}`;
  });
  return `SELECT ${projections.join(", ")} FROM (${select}) AS result(${columns.map((_, at) => `c${at}`).join(", ")})`;
}

async function columnsOf(
  connection: Connection,
  select: string,
): Promise<readonly { readonly name: string; readonly type: string }[]> {
  return connection.rows<{ name: string; type: string }>(
    `SELECT column_name AS name, column_type AS type FROM (DESCRIBE ${select})`,
  );
}

/** Whether a type equals or contains another type. Names in quotes are field names. */
function containsType(type: string, inner: string): boolean {
  return new RegExp(String.raw`\b${inner}\b`).test(type.replace(/"(?:[^"]|"")*"/g, ""));
}
