import type { Connection } from "../duckdb/mod.ts";
import { expressionsIn, fold } from "./expressions.ts";
import { formatTree, parseTree } from "./tree-json.ts";
import { isShallowJson, noteVariant, type VariantFacts } from "./variant.ts";

/** A reference to a table in SQL. */
export interface TableUse {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  /** The position in the SQL in bytes; `null` if unknown. */
  readonly position: number | null;
  /** Its node in the tree, for changes before `renderSql`. */
  readonly node?: object;
}

/** A call of a function in SQL. */
export interface FunctionUse {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  /** The position in the SQL in bytes; `null` if unknown. */
  readonly position: number | null;
  /** Its arguments, as DuckDB's tree. */
  readonly arguments: readonly unknown[];
  /** Whether its input is ordered: `f(x ORDER BY y)`, `WITHIN GROUP`. */
  readonly isOrdered: boolean;
}

/** The tables and functions of one SELECT, at any depth. */
export interface SelectFacts {
  /** All references to tables, without common table expressions. */
  readonly tables: readonly TableUse[];
  readonly tableFunctions: readonly FunctionUse[];
  readonly functions: readonly FunctionUse[];
  /** Parts of the statement that need special handling: `DESCRIBE`, parameters, node kinds of a later DuckDB. */
  readonly unusual: readonly UnusualPart[];
  /** Whether it has an unquoted `current_catalog`, which is the name of the database unless a column has that name. */
  readonly namesDatabase: boolean;
  readonly variant: Readonly<VariantFacts>;
}

/** See `SelectFacts.unusual`. */
interface UnusualPart {
  readonly kind: "describe" | "listing" | "parameter" | "variant" | "unknown";
  readonly what: string;
}

/** The result of parsing SQL: one SELECT, other statements, or a syntax error. */
export type ParsedSql =
  | { readonly kind: "select"; readonly tree: unknown; readonly facts: SelectFacts }
  | { readonly kind: "statements"; readonly count: number }
  | { readonly kind: "other"; readonly reason: string }
  | { readonly kind: "malformed"; readonly reason: string; readonly position: number | null };

/** Parses SQL with DuckDB's own parser; nothing is bound, opened or run. */
export async function parseSql(connection: Connection, sql: string): Promise<ParsedSql> {
  const [row] = await connection.rows<{ tree: string }>(
    "SELECT json_serialize_sql($1::VARCHAR)::VARCHAR AS tree",
    {
      parameters: [sql],
    },
  );
  const parsed = parseTree(row!.tree) as Serialized;
  if (parsed.error) {
    const reason = parsed.error_message ?? "unknown";
    if (parsed.error_type === "not implemented") return { kind: "other", reason };
    return {
      kind: "malformed",
      reason,
      position: parsed.position === undefined ? null : Number(parsed.position),
    };
  }
  const statements = parsed.statements ?? [];
  if (statements.length !== 1) return { kind: "statements", count: statements.length };
  return { kind: "select", tree: parsed, facts: factsOf(statements[0]!.node) };
}

/** Converts a tree of `parseSql`, which may have been changed, back to SQL. */
export async function renderSql(connection: Connection, tree: unknown): Promise<string> {
  const [row] = await connection.rows<{ sql: string }>("SELECT json_deserialize_sql($1::JSON) AS sql", {
    parameters: [formatTree(tree)],
  });
  return row!.sql;
}

interface Serialized {
  readonly error: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly position?: string;
  readonly statements?: readonly { readonly node: unknown }[];
}

type Node = Readonly<Record<string, unknown>>;

const EXPRESSIONS = new Set(
  `BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT DEFAULT FUNCTION LAMBDA LAMBDA_REF OPERATOR
  POSITIONAL_REFERENCE STAR SUBQUERY TYPE WINDOW`.split(/\s+/),
);
const RELATIONS = new Set(
  "BASE_TABLE EMPTY EMPTY_FROM EXPRESSION_LIST JOIN PIVOT SELECT_NODE SET_OPERATION_NODE SUBQUERY TABLE_FUNCTION".split(
    " ",
  ),
);
const NO_POSITION = 2 ** 53;

function factsOf(root: unknown): SelectFacts {
  const tables: TableUse[] = [];
  const tableFunctions: FunctionUse[] = [];
  const functions: FunctionUse[] = [];
  const unusual: UnusualPart[] = [];
  let namesDatabase = false;
  const variant: VariantFacts = { named: 0, json: false, repeats: false };
  const expressions = expressionsIn(root);
  const todo: unknown[] = [root];
  while (todo.length > 0) {
    const value = todo.pop();
    if (Array.isArray(value)) for (const item of value as unknown[]) todo.push(item);
    if (value === null || typeof value !== "object" || Array.isArray(value)) continue;
    const node = value as Node;
    const kind = text(node["type"]);
    noteVariant(variant, node);
    if ("class" in node) {
      const name = text(node["class"]);
      if (name === "PARAMETER") unusual.push({ kind: "parameter", what: text(node["identifier"]) });
      else if (name === "COLUMN_REF") namesDatabase ||= isDatabaseName(node);
      else if (!EXPRESSIONS.has(name)) unusual.push({ kind: "unknown", what: name });
      if (name === "FUNCTION" || (name === "WINDOW" && text(node["function_name"]) !== "")) {
        functions.push(functionOf(node));
      }
    } else if (kind === "SHOW_REF") {
      // DESCRIBE and SUMMARIZE contain a SELECT, which is checked as usual; the others list tables.
      const isListing = node["query"] === null;
      const schema = text(node["schema_name"]);
      const what = isListing ? text(node["table_name"]) || `tables from ${schema}` : text(node["show_type"]);
      unusual.push({ kind: isListing ? "listing" : "describe", what });
    } else if (kind === "TABLE_FUNCTION") {
      const called = node["function"] as Node;
      tableFunctions.push(functionOf(called));
      noteVariant(variant, called);
      todo.push(...Object.values({ ...node, function: called["children"] }));
      continue;
    } else if (kind === "BASE_TABLE") {
      if (!expressions.has(node)) tables.push(tableOf(node));
    } else if (isRelation(node) && !RELATIONS.has(kind) && kind !== "RECURSIVE_CTE_NODE") {
      unusual.push({ kind: "unknown", what: kind });
    }
    if (isShallowJson(node)) todo.push(node["child"]);
    else todo.push(...Object.values(node));
  }
  if (variant.named > 0) unusual.push({ kind: "variant", what: "VARIANT" });
  return { tables, tableFunctions, functions, unusual, namesDatabase, variant };
}

function isDatabaseName({ column_names: names }: Node): boolean {
  return Array.isArray(names) && names.length === 1 && fold(text(names[0])) === "current_catalog";
}

/** Whether a node returns rows: query nodes and table references. */
function isRelation(node: Node): boolean {
  return "sample" in node || "modifiers" in node;
}

function tableOf(node: Node): TableUse {
  return {
    catalog: text(node["catalog_name"]),
    schema: text(node["schema_name"]),
    name: text(node["table_name"]),
    position: positionOf(node),
    node,
  };
}

/** DuckDB uses the maximum integer for an unknown position. */
function positionOf(node: Node): number | null {
  const position = Number(node["query_location"]);
  return position < NO_POSITION ? position : null;
}

function functionOf(node: Node): FunctionUse {
  return {
    catalog: text(node["catalog"]),
    schema: text(node["schema"]),
    name: text(node["function_name"]),
    position: positionOf(node),
    arguments: (node["children"] as readonly unknown[] | undefined) ?? [],
    isOrdered: ((node["order_bys"] as { orders?: readonly unknown[] } | null)?.orders ?? []).length > 0,
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
