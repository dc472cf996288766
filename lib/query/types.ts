import type { SqlPlace } from "../base/mod.ts";
import { parseSql, renderSql, type SelectFacts } from "../sql/mod.ts";
import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";
import { quotedTable } from "./catalog.ts";
import type { PlacedFacts } from "./parse-select.ts";
import { refuse } from "./refuse.ts";
import type { Lease } from "./run.ts";

/** What of a query only the types of its tables, or of its answer, decide. */
export interface TypeChecks {
  /** VARIANT may come up, so that no JSON must. */
  readonly variant: {
    readonly named: boolean;
    readonly json: boolean;
    /** Where the statement names it. */
    readonly place: SqlPlace | undefined;
  } | null;
  /** The answer may have a column of DuckDB's type TYPE, which leaves DuckDB only as text. */
  readonly hasTypes: boolean;
}

/** Gives a value the type of another, which can be the column of a table. */
const CASTS = new Set(["cast_to_type", "replace_type"]);

/** With the 250 levels of one expression, half of what DuckDB was seen to bear. */
const VARIANTS_MAX = 20;

const JSON_ADVICE =
  "Extract the fields from the JSON first: DuckDB crashes when it casts deeply nested JSON to VARIANT.";

/**
 * What is to be checked before a query runs; most queries need no check.
 * @throws `sql_not_allowed` when the statement alone shows that VARIANT may nest without a bound
 */
export function typeChecksOf({ variant, functions, placeOfWord }: PlacedFacts): TypeChecks {
  const { json, repeats } = variant;
  const named = variant.named > 0;
  const place = named ? placeOfWord(/^"?variant"?$/i) : undefined;
  const names = functions.map(({ name }) => name.toLowerCase());
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
    variant: named || names.some((name) => CASTS.has(name)) ? { named, json, place } : null,
    hasTypes: hasTypes(names),
  };
}

/** Of SQL that may do what it likes. */
export function trustedTypeChecks({ functions }: SelectFacts): TypeChecks {
  return { variant: null, hasTypes: hasTypes(functions.map(({ name }) => name.toLowerCase())) };
}

function hasTypes(functions: readonly string[]): boolean {
  return functions.includes("get_type") || functions.includes("make_type");
}

/**
 * Looks at the types, where a query needs it.
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
    const json = variant.json || types.some((type) => names(type, "JSON"));
    if (json && (variant.named || types.some((type) => names(type, "VARIANT")))) {
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
  if (!columns.some(({ type }) => names(type, "TYPE"))) return sql;
  const shown = columns.map(({ name, type }, at) => {
    if (!names(type, "TYPE")) return `c${at} AS ${quoteIdentifier(name)}`;
    const list = /^TYPE((?:\[\d*\])*)$/.exec(type);
    if (list === null) {
      return refuse(
        `its column ${quoteIdentifier(name)} contains values of the type TYPE`,
        "Cast them to VARCHAR.",
      );
    }
    return `c${at}::VARCHAR${list[1]!} AS ${quoteIdentifier(name)}`;
  });
  return `SELECT ${shown.join(", ")} FROM (${select}) AS answer(${columns.map((_, at) => `c${at}`).join(", ")})`;
}

async function columnsOf(
  connection: Connection,
  select: string,
): Promise<readonly { readonly name: string; readonly type: string }[]> {
  return connection.rows<{ name: string; type: string }>(
    `SELECT column_name AS name, column_type AS type FROM (DESCRIBE ${select})`,
  );
}

/** Whether a type is another or has it inside. A name in quotes is the name of a field. */
function names(type: string, inner: string): boolean {
  return new RegExp(String.raw`\b${inner}\b`).test(type.replace(/"(?:[^"]|"")*"/g, ""));
}
