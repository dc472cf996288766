import { bigintAsText } from "../../base/mod.ts";
import type { SourceExpression, SourceOrder, SourceStatement } from "../../kit/mod.ts";
import { countOf } from "../live/limit.ts";
import { columnNamesOf, fold, isNode, textOf, wholeNumberOf, type Node } from "../live/tree.ts";
import { hasAggregate, isAggregate, partsOf } from "./aggregates.ts";
import { translate, type Names } from "./expressions.ts";
import { comparable, condition, isReturned, kindOf } from "./kinds.ts";
import { notListed } from "./not-listed.ts";
import {
  columnOf,
  findAmong,
  fromOf,
  type ScopedRelation,
  type Shipping,
  type Subquery,
} from "./relations.ts";

/** A translated SELECT, with what the local statement over its rows needs. */
export interface Shipped extends Subquery {
  /** All keys of ORDER BY. The columns behind `columns` of the statement's result are only keys. */
  readonly order: readonly SourceOrder[];
}

/** An output of a SELECT. */
interface Output {
  readonly name: string | null;
  readonly expression: SourceExpression;
}

/**
 * Translates a SELECT.
 *
 * @param rowsMax the number of rows that are read; null for a SELECT inside another, which cannot have an order and a limit
 * @throws NotListed
 */
export async function translateSelect(
  select: Node,
  shipping: Shipping,
  rowsMax: number | null,
): Promise<Shipped> {
  if (select["type"] !== "SELECT_NODE") return notListed(textOf(select["type"]));
  if (isNode(select["sample"]) || isNode(select["qualify"])) return notListed("a sample or QUALIFY");
  const { orders, isDistinct, limit, offset } = modifiersOf(select, rowsMax !== null);
  const from = await fromOf(select["from_table"], shipping);
  const items = itemsOf(select, from.relations);
  const names = namesOf(items, from.relations, shipping, true);
  const lateNames = namesOf(items, from.relations, shipping, false);
  const outputs: Output[] = [];
  for (const item of items) {
    if ("expression" in item) outputs.push(item);
    else outputs.push({ name: item.name, expression: await translate(item.node, names) });
  }
  const where = isNode(select["where_clause"])
    ? condition(await translate(select["where_clause"], names))
    : null;
  const having = isNode(select["having"]) ? condition(await translate(select["having"], lateNames)) : null;
  const groups = await groupsOf(select, outputs, names);
  const isGrouped = groups !== null || having !== null || outputs.some((one) => hasAggregate(one.expression));
  const visible = outputs.length;
  const order: SourceOrder[] = [];
  for (const one of orders) order.push(...(await orderOf(one, visible, outputs, lateNames)));
  if (isDistinct && outputs.length > visible) return notListed("an order of DISTINCT by another value");
  for (const { expression } of outputs) {
    if (isDistinct) comparable(expression);
    if (!isReturned(expression.type)) return notListed(`a result of ${expression.type}`);
  }
  const computed = [...outputs.map(({ expression }) => expression), ...(having === null ? [] : [having])];
  if (isGrouped) for (const expression of computed) checkGrouped(expression, groups ?? []);
  const rows = Math.min(limit ?? Infinity, rowsMax ?? Infinity);
  const isLimited = Number.isSafeInteger(rows);
  const keys = order.map(({ column }) => outputs[column]!.expression);
  const isOrdered = keys.every(({ type }) => kindOf(type) !== null);
  if (!isOrdered && limit !== null) return notListed("an order by a type that is not listed");
  const isCut = isLimited && isOrdered;
  if (offset > 0 && (!isCut || order.length === 0)) return notListed("OFFSET without a limit or an order");
  const statement: SourceStatement = {
    from: from.complete(),
    where,
    groups: isGrouped ? (groups ?? []) : null,
    having,
    columns: outputs.map(({ expression }) => ({ expression, isText: false })),
    isDistinct,
    order: isCut && order.length > 0 ? totalOrder(order, outputs) : [],
    limit: isCut ? rows : null,
    offset,
  };
  const columns = outputs.slice(0, visible).map(({ name, expression }) => ({ name, type: expression.type }));
  return { statement, columns, order };
}

/** An item of a select list: a column of a star, or a node. */
type Item = Output | { readonly name: string | null; readonly node: Node };

function itemsOf(select: Node, relations: readonly ScopedRelation[]): readonly Item[] {
  return (select["select_list"] as readonly Node[]).flatMap((node): readonly Item[] => {
    if (node["class"] !== "STAR") {
      const name = textOf(node["alias"]) || columnNamesOf(node)?.at(-1);
      return [{ name: name ?? null, node }];
    }
    const isChanged = ["exclude_list", "replace_list", "rename_list", "qualified_exclude_list"].some(
      (key) => ((node[key] ?? []) as readonly unknown[]).length > 0,
    );
    if (isChanged || node["columns"] === true || isNode(node["expr"]))
      return notListed("a star with changes");
    const of = fold(textOf(node["relation_name"]));
    const named = relations.filter(({ name }) => of === "" || name === of);
    if (named.length === 0) return notListed("a star of another table");
    return named.flatMap((relation) =>
      relation.columns
        .filter(({ name }) => of !== "" || !relation.merged.has(fold(name)))
        .map((column) => ({ name: column.name, expression: columnOf(relation, column) })),
    );
  });
}

/**
 * The names of the columns and those of the select list.
 *
 * @param columnsFirst whether a name of both is that of the column, as in all clauses before HAVING; otherwise it is not listed
 */
function namesOf(
  items: readonly Item[],
  relations: readonly ScopedRelation[],
  { connection }: Shipping,
  columnsFirst: boolean,
): Names {
  const within = (hidden: ReadonlySet<Item>): Names => ({
    connection,
    find: (parts) => {
      const column = findAmong(relations, parts);
      if (column !== null && (columnsFirst || hidden.size > 0)) return column;
      const aliased = parts.length > 1 ? [] : items.filter((item) => isAliased(item, parts[0]!, hidden));
      if (aliased.length === 0) return column ?? notListed("a name that is not a column");
      const [item] = aliased as [Item & { readonly node: Node }];
      if (column !== null || aliased.length > 1) return notListed("a name with two meanings");
      return { node: item.node, names: within(new Set([...hidden, item])) };
    },
  });
  return within(new Set());
}

/** Whether an item has the alias, and is not just the column of this name. */
function isAliased(item: Item, name: string, hidden: ReadonlySet<Item>): boolean {
  if (!("node" in item) || hidden.has(item) || textOf(item.node["alias"]) === "") return false;
  const own = columnNamesOf(item.node);
  const isColumn = own !== null && fold(own.at(-1)!) === fold(name);
  return fold(textOf(item.node["alias"])) === fold(name) && !isColumn;
}

/** Returns the expressions of GROUP BY; null if there are none. */
async function groupsOf(
  select: Node,
  outputs: readonly Output[],
  names: Names,
): Promise<readonly SourceExpression[] | null> {
  const nodes = select["group_expressions"] as readonly Node[];
  const sets = select["group_sets"] as readonly (readonly unknown[])[];
  if (select["aggregate_handling"] === "FORCE_AGGREGATES") {
    const free = outputs.map(({ expression }) => expression).filter((one) => !hasAggregate(one));
    return free.map(groupable);
  }
  if (select["aggregate_handling"] !== "STANDARD_HANDLING") return notListed("this grouping");
  if (nodes.length === 0 && sets.length === 0) return null;
  if (sets.length !== 1 || sets[0]!.length !== nodes.length) return notListed("several groupings");
  const groups: SourceExpression[] = [];
  for (const node of nodes) {
    const ordinal = ordinalOf(node);
    const found = ordinal === null ? await translate(node, names) : outputs[ordinal]?.expression;
    groups.push(groupable(found ?? notListed("a position that does not exist")));
  }
  return groups;
}

/** A constant in GROUP BY is a position in other dialects. */
function groupable(expression: SourceExpression): SourceExpression {
  if (expression.kind === "literal" || hasAggregate(expression)) return notListed("a group by a constant");
  return comparable(expression);
}

/** Checks that an expression of a grouped SELECT depends only on groups and aggregates. */
function checkGrouped(expression: SourceExpression, groups: readonly SourceExpression[]): void {
  if (groups.some((group) => isSame(group, expression))) return;
  if (expression.kind === "column") notListed("a column that is not grouped");
  if (isAggregate(expression)) return;
  for (const part of partsOf(expression)) checkGrouped(part, groups);
}

interface Modifiers {
  readonly orders: readonly Node[];
  readonly isDistinct: boolean;
  readonly limit: number | null;
  readonly offset: number;
}

function modifiersOf(select: Node, isWhole: boolean): Modifiers {
  let found: Modifiers = { orders: [], isDistinct: false, limit: null, offset: 0 };
  for (const modifier of select["modifiers"] as readonly Node[]) {
    const type = modifier["type"];
    if (type === "DISTINCT_MODIFIER") {
      if (((modifier["distinct_on_targets"] ?? []) as readonly unknown[]).length > 0)
        return notListed("DISTINCT ON");
      found = { ...found, isDistinct: true };
    } else if (!isWhole) {
      return notListed("an order or limit inside another SELECT");
    } else if (type === "ORDER_MODIFIER") {
      found = { ...found, orders: modifier["orders"] as readonly Node[] };
    } else if (type === "LIMIT_MODIFIER") {
      const limit = countOf(modifier["limit"], Infinity);
      const offset = countOf(modifier["offset"], 0);
      if (limit === null || offset === null) return notListed("a limit that is not a constant");
      found = { ...found, limit: Number.isFinite(limit) ? limit : null, offset };
    } else return notListed(textOf(type));
  }
  return found;
}

/** Returns the keys of one expression of ORDER BY. An expression that is no output becomes a further one. */
async function orderOf(
  order: Node,
  visible: number,
  outputs: Output[],
  names: Names,
): Promise<readonly SourceOrder[]> {
  const isDescending = order["type"] === "DESCENDING";
  // DuckDB's default is NULLS LAST, also with DESC.
  const nullsFirst = /NULLS[ _]FIRST/.test(textOf(order["null_order"]));
  const key = (column: number): SourceOrder => ({ column, isDescending, nullsFirst });
  const node = order["expression"] as Node;
  if (node["class"] === "STAR") {
    const isAll = node["columns"] === true && !isNode(node["expr"]) && node["relation_name"] === "";
    return isAll ? outputs.slice(0, visible).map((_, at) => key(at)) : notListed("an order by a star");
  }
  const ordinal = ordinalOf(node);
  if (ordinal !== null)
    return ordinal < visible ? [key(ordinal)] : notListed("a position that does not exist");
  const expression = await translate(node, names);
  if (expression.kind === "literal") return notListed("an order by a constant");
  const known = outputs.findIndex((one) => isSame(one.expression, expression));
  return [key(known === -1 ? outputs.push({ name: null, expression }) - 1 : known)];
}

/** Adds the other outputs as last keys, so that a limit always keeps the same rows. */
function totalOrder(order: readonly SourceOrder[], outputs: readonly Output[]): readonly SourceOrder[] {
  const known = new Set(order.map(({ column }) => column));
  const further = outputs.flatMap(({ expression }, column) =>
    known.has(column) || kindOf(expression.type) === null || expression.kind === "literal"
      ? []
      : [{ column, isDescending: false, nullsFirst: false }],
  );
  return [...order, ...further];
}

/** Returns the index for a position in GROUP BY or ORDER BY; null for another expression. */
function ordinalOf(node: Node): number | null {
  if (node["class"] !== "CONSTANT") return null;
  const { type, value } = node["value"] as { readonly type: Node; readonly value?: unknown };
  if (textOf(type["id"]) !== "INTEGER") return null;
  const position = Number(wholeNumberOf(value) ?? 0n);
  return position < 1 ? notListed("a position that does not exist") : position - 1;
}

function isSame(a: SourceExpression, b: SourceExpression): boolean {
  return JSON.stringify(a, bigintAsText) === JSON.stringify(b, bigintAsText);
}
