import type { Connection } from "../../duckdb/mod.ts";
import type { Filter, SourceExpression, SourceRelation, SourceStatement, TableInfo } from "../../kit/mod.ts";
import type { TypedColumn } from "../live/scope.ts";
import { conjunctsOf, fold, isNode, textOf, type Node } from "../live/tree.ts";
import { translate, type Names } from "./expressions.ts";
import { condition } from "./kinds.ts";
import { notListed } from "./not-listed.ts";

/** A live table at a place of a statement. */
interface ShippedTable {
  readonly info: TableInfo;
  readonly columns: readonly TypedColumn[];
  /** Conditions that all needed rows match. */
  readonly filter: readonly Filter[];
}

/** A column of a relation in a FROM. */
interface ScopedColumn {
  readonly name: string;
  readonly type: string;
  /** Its name in the shipped statement. */
  readonly column: string;
}

/** A table or SELECT in a FROM. */
export interface ScopedRelation {
  /** Its folded name in the statement. */
  readonly name: string;
  /** Its unique name in the shipped statement. */
  readonly alias: string;
  readonly columns: readonly ScopedColumn[];
  /** The names of the used columns. */
  readonly used: Set<string>;
  /** The folded names of columns that `USING` takes from the other side. */
  readonly merged: Set<string>;
}

/** A result of another SELECT. */
export interface Subquery {
  readonly statement: SourceStatement;
  readonly columns: readonly { readonly name: string | null; readonly type: string }[];
}

/** What the translation of a statement needs. */
export interface Shipping {
  readonly connection: Connection;
  /** Returns the live table at a node. @throws NotListed */
  readonly tableAt: (node: Node) => Promise<ShippedTable>;
  /** Returns the SELECT of a common table expression or subquery; null for a table. @throws NotListed */
  readonly bodyOf: (node: Node) => Node | null;
  readonly translateSelect: (select: Node) => Promise<Subquery>;
  /** Returns an unused alias. */
  readonly newAlias: () => string;
}

/** A FROM, whose relation is complete when all expressions of its SELECT are translated. */
export interface From {
  readonly relations: readonly ScopedRelation[];
  readonly complete: () => SourceRelation;
}

/** Translates a FROM. @throws NotListed */
export async function fromOf(node: unknown, shipping: Shipping): Promise<From> {
  if (!isNode(node)) return notListed("a SELECT without FROM");
  if (node["sample"] !== null) return notListed("a sample");
  if (node["type"] === "JOIN") return joinOf(node, shipping);
  if (((node["column_name_alias"] ?? []) as readonly unknown[]).length > 0)
    return notListed("new names of columns after FROM");
  const body = shipping.bodyOf(node);
  const name = fold(textOf(node["alias"]) || textOf(node["table_name"]));
  const alias = shipping.newAlias();
  const relation = (columns: readonly ScopedColumn[]): ScopedRelation => ({
    name,
    alias,
    columns,
    used: new Set(),
    merged: new Set(),
  });
  if (body !== null) {
    const { statement, columns } = await shipping.translateSelect(body);
    const scoped = columns.map(({ name: own, type }, at) => ({ name: own ?? "", type, column: `c${at}` }));
    return {
      relations: [relation(scoped)],
      complete: () => ({ kind: "select", alias, statement }),
    };
  }
  if (node["type"] !== "BASE_TABLE" || isNode(node["at_clause"])) return notListed(textOf(node["type"]));
  const { info, columns, filter } = await shipping.tableAt(node);
  const table = relation(columns.map((one) => ({ ...one, column: one.name })));
  return {
    relations: [table],
    complete: () => {
      const used = columns.map((one) => one.name).filter((one) => table.used.has(one));
      const any = info.primaryKey[0] ?? columns[0]!.name;
      return { kind: "table", alias, table: info, columns: used.length === 0 ? [any] : used, filter };
    },
  };
}

async function joinOf(node: Node, shipping: Shipping): Promise<From> {
  const type = textOf(node["join_type"]);
  if (node["ref_type"] !== "REGULAR" || (type !== "INNER" && type !== "LEFT")) return notListed("this join");
  const left = await fromOf(node["left"], shipping);
  const right = await fromOf(node["right"], shipping);
  const relations = [...left.relations, ...right.relations];
  if (new Set(relations.map(({ name }) => name)).size < relations.length)
    return notListed("two tables with one name");
  const { connection } = shipping;
  const conditions: SourceExpression[] = [];
  for (const name of node["using_columns"] as readonly string[]) {
    const sides = [left, right].map((side) => findIn(side.relations, [name]));
    if (sides[0]!.type !== sides[1]!.type) return notListed("USING with several types");
    conditions.push(equal(sides as [SourceExpression, SourceExpression]));
    for (const one of right.relations) one.merged.add(fold(name));
  }
  const names: Names = { connection, find: (parts) => findIn(relations, parts) };
  for (const conjunct of conjunctsOf(node["condition"]))
    conditions.push(condition(await translate(conjunct, names)));
  const isIn = (side: From, one: SourceExpression) =>
    one.kind === "column" && side.relations.some(({ alias }) => alias === one.relation);
  const isEquality = (one: SourceExpression) =>
    one.kind === "compare" &&
    one.operator === "eq" &&
    ((isIn(left, one.left) && isIn(right, one.right)) || (isIn(left, one.right) && isIn(right, one.left)));
  if (!conditions.some(isEquality)) return notListed("a join without an equality");
  return {
    relations,
    complete: () => ({
      kind: "join",
      isLeft: type === "LEFT",
      left: left.complete(),
      right: right.complete(),
      on: { kind: "and", type: "BOOLEAN", operands: conditions },
    }),
  };
}

function equal([left, right]: readonly [SourceExpression, SourceExpression]): SourceExpression {
  return { kind: "compare", type: "BOOLEAN", operator: "eq", left, right };
}

/** Returns the column with a name, which becomes a used one. @throws NotListed if there is not exactly one */
function findIn(relations: readonly ScopedRelation[], parts: readonly string[]): SourceExpression {
  return findAmong(relations, parts) ?? notListed("a name that is not a column");
}

/** Like `findIn`; null if there is none. */
export function findAmong(
  relations: readonly ScopedRelation[],
  parts: readonly string[],
): SourceExpression | null {
  if (parts.length > 2) return notListed("a name with more than two parts");
  const last = fold(parts.at(-1)!);
  const among = parts.length === 1 ? relations : relations.filter(({ name }) => name === fold(parts[0]!));
  const found = among.flatMap((relation) =>
    parts.length === 1 && relation.merged.has(last)
      ? []
      : relation.columns.filter(({ name }) => fold(name) === last).map((column) => ({ relation, column })),
  );
  if (found.length > 1) return notListed("an ambiguous name");
  return found.length === 0 ? null : columnOf(found[0]!.relation, found[0]!.column);
}

/** Returns a column as an expression, which becomes a used one. */
export function columnOf(relation: ScopedRelation, { column, type }: ScopedColumn): SourceExpression {
  relation.used.add(column);
  return { kind: "column", type, relation: relation.alias, column };
}
