import { expressionsIn } from "../../sql/mod.ts";
import { outputsOf } from "./outputs.ts";
import { finderOf, isHidden, type ColumnsOf, type TypedColumn } from "./scope.ts";
import {
  columnNamesOf,
  fold,
  isNamed,
  isNode,
  referencesIn,
  relationsOf,
  type Node,
  type Reference,
  type Relation,
} from "./tree.ts";

/** The column of a table that is the only origin of the values of another column. */
export interface Origin {
  readonly reference: Reference;
  readonly key: TypedColumn;
}

/** The SELECTs of common table expressions, by the node that refers to them. */
type Bodies = ReadonlyMap<Node, Node>;

/** The context for tracing columns. */
export interface Tracing {
  readonly columnsOf: ColumnsOf;
  readonly bodies: Bodies;
  /** The reference that reads a SELECT, for derived tables and common table expressions with one reference. */
  readonly outerOf: ReadonlyMap<Node, Reference>;
}

export function tracingOf(root: Node, columnsOf: ColumnsOf): Tracing {
  const { bodies, usedOnce } = bodiesIn(root);
  const outerOf = new Map<Node, Reference>();
  for (const reference of referencesIn(root)) {
    const { node } = reference.relation;
    const body = bodyOf(reference.relation, bodies);
    if (body !== null && (node["type"] === "SUBQUERY" || usedOnce.has(node))) outerOf.set(body, reference);
  }
  return { columnsOf, bodies, outerOf };
}

/** The maximum depth to which a column is traced, because SQL may be nested to any depth. */
const DEPTH_MAX = 16;

/**
 * Returns the origin of an expression of a SELECT that is a bare column of a table, derived table or common table
 * expression. Grouping, limits, windows and joins above that table only remove values or replace them by null.
 */
export function originOf(select: Node, expression: unknown, tracing: Tracing, depth = 0): Origin | null {
  const names = columnNamesOf(expression);
  const from = select["from_table"];
  if (names === null || !isNode(from) || depth > DEPTH_MAX) return null;
  const relations = relationsOf(from, []);
  const visible = relations.filter((one) => !isHidden(one));
  for (const relation of visible) {
    const body = bodyOf(relation, tracing.bodies);
    if (body === null) {
      const key = finderOf(relation, visible, tracing.columnsOf)(names);
      if (key !== null) return { reference: { relation, select, relations, isWhole: false }, key };
    } else if (names.length === 2 ? isNamed(relation, names[0]!) : visible.length === 1) {
      return names.length > 2 ? null : originOfColumn(body, names.at(-1)!, tracing, depth + 1);
    }
  }
  return null;
}

/** Returns the origin of a column of a derived table or common table expression. */
export function originIn(
  relation: Relation,
  names: readonly string[] | null,
  tracing: Tracing,
): Origin | null {
  const body = bodyOf(relation, tracing.bodies);
  if (body === null || names?.length !== 2 || !isNamed(relation, names[0]!)) return null;
  return originOfColumn(body, names[1]!, tracing, 0);
}

/** Like `originIn`, for a column of `USING`. */
export function originOfUsing(relation: Relation, name: string, tracing: Tracing): Origin | null {
  const body = bodyOf(relation, tracing.bodies);
  return body === null ? null : originOfColumn(body, name, tracing, 0);
}

/** Returns the SELECT of a relation; null for tables and other statements. */
function bodyOf({ node }: Relation, bodies: Bodies): Node | null {
  if ((node["column_name_alias"] as readonly unknown[] | undefined)?.length !== 0) return null;
  const body = node["type"] === "SUBQUERY" ? (node["subquery"] as Node)["node"] : (bodies.get(node) ?? null);
  return isNode(body) && body["type"] === "SELECT_NODE" ? body : null;
}

function originOfColumn(select: Node, name: string, tracing: Tracing, depth: number): Origin | null {
  const expression = outputsOf(select, tracing.columnsOf)?.get(fold(name));
  return expression === undefined ? null : originOf(select, expression, tracing, depth);
}

/**
 * Returns the SELECT for each reference to a common table expression, except recursive ones and those that rename their
 * columns, and the references that are the only ones to their expression.
 */
function bodiesIn(root: Node): { readonly bodies: Bodies; readonly usedOnce: ReadonlySet<Node> } {
  const bodies = new Map<Node, Node>();
  const namesOf = new Map<Node, Node[]>();
  for (const [name, expression] of expressionsIn(root)) {
    const body = expression === null ? null : followed(expression);
    if (body === null) continue;
    bodies.set(name, body);
    namesOf.set(body, [...(namesOf.get(body) ?? []), name]);
  }
  const usedOnce = new Set([...namesOf.values()].flatMap((names) => (names.length === 1 ? names : [])));
  return { bodies, usedOnce };
}

function followed(expression: Node): Node | null {
  if (((expression["aliases"] ?? []) as readonly unknown[]).length > 0) return null;
  const body = (expression["query"] as Node | undefined)?.["node"];
  return isNode(body) ? body : null;
}
