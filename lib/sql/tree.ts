import type { Connection } from "../duckdb/mod.ts";
import { expressionsIn, fold } from "./expressions.ts";
import { formatTree, parseTree } from "./tree-json.ts";
import { isShallowJson, noteVariant, type VariantFacts } from "./variant.ts";

/** A table as SQL names it. */
export interface TableUse {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  /** Where in the text, in bytes; `null` when DuckDB does not say. */
  readonly position: number | null;
  /** Its node in the tree, for changes before `renderSql`. */
  readonly node?: object;
}

/** A function as SQL calls it. */
export interface FunctionUse {
  readonly catalog: string;
  readonly schema: string;
  readonly name: string;
  /** As of a table. */
  readonly position: number | null;
  /** Its arguments, as DuckDB's tree. */
  readonly arguments: readonly unknown[];
  /** Whether its values come in an order: `f(x ORDER BY y)`, `WITHIN GROUP`. */
  readonly isOrdered: boolean;
}

/** What one SELECT reads and calls, wherever in it. */
export interface SelectFacts {
  /** Tables that are not a common table expression in scope where they are named. */
  readonly tables: readonly TableUse[];
  readonly tableFunctions: readonly FunctionUse[];
  readonly functions: readonly FunctionUse[];
  /** Parts of the statement that only DuckDB understands: `DESCRIBE`, parameters, node kinds of a later version. */
  readonly unusual: readonly UnusualPart[];
  /** Whether it has the bare word `current_catalog`, which is the name of the database unless a column has that name. */
  readonly namesDatabase: boolean;
  readonly variant: Readonly<VariantFacts>;
}

/** See `SelectFacts.unusual`. */
interface UnusualPart {
  readonly kind: "describe" | "listing" | "parameter" | "variant" | "unknown";
  readonly what: string;
}

/** DuckDB's parse of a text: one SELECT, something else, or no SQL. */
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

/** Turns a tree of `parseSql`, perhaps changed, back into SQL. */
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
      // DESCRIBE and SUMMARIZE hold a SELECT, which is looked at like any other; the others list tables.
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

/** Nodes that stand for rows: query nodes and what can follow FROM. */
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

/** DuckDB writes the greatest number for a place that it does not know. */
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
