import { expressionsIn } from "../../analytics/mod.ts";
import { finderOf, isHidden, type ColumnsOf, type TypedColumn } from "./scope.ts";
import {
  columnNamesOf,
  fold,
  isNode,
  nodesOf,
  relationsOf,
  textOf,
  type Node,
  type Reference,
  type Relation,
} from "./tree.ts";

/** A column of a table from which alone the values of another column come, whatever else the statement does with them. */
export interface Origin {
  readonly reference: Reference;
  readonly key: TypedColumn;
}

/** The SELECTs of common table expressions, by the node that names one of them. */
export type Bodies = ReadonlyMap<Node, Node>;

/** What tracing a column needs to know. */
export interface Tracing {
  readonly columnsOf: ColumnsOf;
  readonly bodies: Bodies;
}

/** How deep a column is followed: authors choose how deep SQL nests. */
const DEPTH_MAX = 16;

/**
 * Where the values of an expression in a SELECT come from, when it is the bare column of a table, of a derived table or
 * of a common table expression. Grouping, limits, windows and joins above that table only leave values out, or put null
 * in their place.
 */
export function originOf(select: Node, expression: unknown, tracing: Tracing, depth = 0): Origin | null {
  const names = columnNamesOf(expression);
  const from = select["from_table"];
  if (names === null || !isNode(from) || depth > DEPTH_MAX) return null;
  const relations = relationsOf(from, []);
  const visible = relations.filter((one) => !isHidden(one));
  for (const relation of visible) {
    const body = bodyOf(relation, tracing);
    if (body === null) {
      const key = finderOf(relation, visible, tracing.columnsOf)(names);
      if (key !== null) return { reference: { relation, select, relations, isWhole: false }, key };
    } else if (names.length === 2 ? isNamed(relation, names[0]!) : visible.length === 1) {
      return names.length > 2 ? null : originOfColumn(body, names.at(-1)!, tracing, depth + 1);
    }
  }
  return null;
}

/** Where the values of a column of a derived table or common table expression come from. */
export function originIn(
  relation: Relation,
  names: readonly string[] | null,
  tracing: Tracing,
): Origin | null {
  const body = bodyOf(relation, tracing);
  if (body === null || names?.length !== 2 || !isNamed(relation, names[0]!)) return null;
  return originOfColumn(body, names[1]!, tracing, 0);
}

/** As `originIn`, of a column that `USING` names. */
export function originOfUsing(relation: Relation, name: string, tracing: Tracing): Origin | null {
  const body = bodyOf(relation, tracing);
  return body === null ? null : originOfColumn(body, name, tracing, 0);
}

/** The SELECT that a relation stands for; null for a table, and for what is no plain SELECT. */
function bodyOf({ node }: Relation, { bodies }: Tracing): Node | null {
  if ((node["column_name_alias"] as readonly unknown[] | undefined)?.length !== 0) return null;
  const body = node["type"] === "SUBQUERY" ? (node["subquery"] as Node)["node"] : (bodies.get(node) ?? null);
  return isNode(body) && body["type"] === "SELECT_NODE" ? body : null;
}

function originOfColumn(select: Node, name: string, tracing: Tracing, depth: number): Origin | null {
  const expression = outputOf(select, fold(name), tracing);
  return expression === null ? null : originOf(select, expression, tracing, depth);
}

/** The one expression of a SELECT that makes a column of that name; null when it is not certain which. */
function outputOf(select: Node, name: string, { columnsOf }: Tracing): Node | null {
  // So DuckDB names the second of two columns of one name.
  if (/[_:]\d+$/.test(name)) return null;
  const found: Node[] = [];
  for (const item of select["select_list"] as readonly Node[]) {
    if (item["class"] === "STAR") {
      const relations = starRelations(item, select);
      if (relations === null) return null;
      for (const relation of relations) {
        const columns = columnsOf(relation);
        if (columns === null) return null;
        if (!columns.some((column) => fold(column.name) === name)) continue;
        found.push({ class: "COLUMN_REF", column_names: [relation.alias, name] });
      }
      continue;
    }
    const names = columnNamesOf(item);
    const alias = fold(textOf(item["alias"]));
    if (names === null && !isOneColumn(item)) return null;
    if ((alias || fold(names?.at(-1) ?? "")) === name) found.push(item);
  }
  return found.length === 1 ? found[0]! : null;
}

/** The relations whose columns a star stands for; null when it stands for others, or merges some. */
function starRelations(star: Node, select: Node): readonly Relation[] | null {
  const isChanged = ["exclude_list", "replace_list", "rename_list", "qualified_exclude_list"].some(
    (key) => ((star[key] ?? []) as readonly unknown[]).length > 0,
  );
  const from = select["from_table"];
  if (isChanged || star["columns"] === true || isNode(star["expr"]) || !isNode(from)) return null;
  const relations = relationsOf(from, []);
  const merges = ({ joins }: Relation) =>
    joins.some(
      ({ join }) =>
        join["ref_type"] === "NATURAL" || (join["using_columns"] as readonly unknown[]).length > 0,
    );
  if (relations.some(merges)) return null;
  const of = textOf(star["relation_name"]);
  const visible = relations.filter((one) => !isHidden(one) && (of === "" || isNamed(one, of)));
  return visible.length === 0 ? null : visible;
}

/** Whether an expression makes one column, of its alias or of a name with a parenthesis in it. */
function isOneColumn(item: Node): boolean {
  for (const node of nodesOf(item)) {
    // COLUMNS(…) makes many, and a record that is unnested makes one of each field.
    if (node["class"] === "STAR" || fold(textOf(node["function_name"])) === "unnest") return false;
  }
  return textOf(item["alias"]) !== "" || item["class"] === "FUNCTION";
}

export function isNamed(relation: Relation, name: string): boolean {
  return fold(relation.alias) === fold(name);
}

/** Finds what each name of a common table expression means. Recursive ones, and those that name their columns, are not found. */
export function bodiesIn(root: Node): Bodies {
  const bodies = new Map<Node, Node>();
  for (const [name, expression] of expressionsIn(root)) {
    const body = expression === null ? null : followed(expression);
    if (body !== null) bodies.set(name, body);
  }
  return bodies;
}

function followed(expression: Node): Node | null {
  if (((expression["aliases"] ?? []) as readonly unknown[]).length > 0) return null;
  const body = (expression["query"] as Node | undefined)?.["node"];
  return isNode(body) ? body : null;
}
