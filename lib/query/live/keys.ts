import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { filterToSql, type Filter, type FilterValue } from "../../kit/mod.ts";
import { classOf, filtersOf, VALUES_MAX, type ColumnFinder } from "./conditions.ts";
import { conditionsOn, drops, finderOf, isPlain, type ColumnsOf, type TypedColumn } from "./scope.ts";
import {
  columnNamesOf,
  fold,
  isNode,
  referencesOf,
  textOf,
  type Node,
  type Reference,
  type Relation,
} from "./tree.ts";

/** A column of a live table whose wanted values are those of a column of another table. */
export interface KeySource {
  readonly column: TypedColumn;
  /** The table that has the values, and the column in it. */
  readonly from: Relation;
  readonly key: TypedColumn;
  /** The conditions of that table, to which the values are reduced. */
  readonly reference: Reference;
}

/** What the values of a table's columns are limited to, by joins and by `IN (SELECT …)`. */
export function keySourcesOf(reference: Reference, columnsOf: ColumnsOf): readonly KeySource[] {
  const scoped = conditionsOn(reference);
  const sources: KeySource[] = [];
  for (const { conjunct, visible } of scoped) {
    const find = finderOf(reference.relation, visible, columnsOf);
    if (conjunct["class"] === "COMPARISON" && conjunct["type"] === "COMPARE_EQUAL") {
      const sides = [conjunct["left"], conjunct["right"]] as const;
      for (const [own, other] of [sides, [...sides].reverse()]) {
        const column = columnOf(own, find);
        if (column === null) continue;
        for (const from of visible) {
          if (from === reference.relation) continue;
          const key = columnOf(other, finderOf(from, visible, columnsOf));
          if (key !== null) sources.push({ column, from, key, reference: { ...reference, relation: from } });
        }
      }
    } else if (conjunct["class"] === "SUBQUERY") {
      sources.push(...subquerySource(conjunct, find, columnsOf));
    }
  }
  sources.push(...usingSources(reference, columnsOf));
  return sources.filter(
    ({ column, key }) => classOf(column.type) !== null && classOf(column.type) === classOf(key.type),
  );
}

/** `column IN (SELECT key FROM table …)`. */
function subquerySource(conjunct: Node, find: ColumnFinder, columnsOf: ColumnsOf): readonly KeySource[] {
  if (conjunct["subquery_type"] !== "ANY" || conjunct["comparison_type"] !== "COMPARE_EQUAL") return [];
  const column = columnOf(conjunct["child"], find);
  const select = (conjunct["subquery"] as Node)["node"] as Node;
  const list = (select["select_list"] ?? []) as readonly unknown[];
  const from = select["from_table"];
  if (column === null || list.length !== 1 || !isNode(from) || from["type"] !== "BASE_TABLE") return [];
  const reference = referencesOf(select).get(Number(from["query_location"]));
  if (reference === undefined) return [];
  const { relation } = reference;
  const key = columnOf(list[0], finderOf(relation, [relation], columnsOf));
  return key === null ? [] : [{ column, from: relation, key, reference }];
}

/** The columns of `USING`. Of several tables on one side that have such a column, inner joins have made it one. */
function usingSources(reference: Reference, columnsOf: ColumnsOf): readonly KeySource[] {
  const { relation, relations, select } = reference;
  if (!isPlain(relation, select)) return [];
  return relation.joins.flatMap(({ join, side }) => {
    if (!drops(join, side)) return [];
    const isInner = (one: Relation) => one.joins.every((at) => at.join["join_type"] === "INNER");
    return (join["using_columns"] as readonly string[]).flatMap((name) => {
      const having = (where: "same" | "other") => {
        const some = relations.filter((one) =>
          one.joins.some((at) => at.join === join && (at.side === side) === (where === "same")),
        );
        if (some.some((one) => columnsOf(one) === null)) return [];
        const found = some.filter((one) => named(columnsOf(one)!, name) !== undefined);
        return found.length > 1 && !some.every(isInner) ? [] : found;
      };
      const [from] = having("other");
      if (from === undefined || !having("same").includes(relation)) return [];
      const column = named(columnsOf(relation)!, name)!;
      const key = named(columnsOf(from)!, name)!;
      return [{ column, from, key, reference: { ...reference, relation: from } }];
    });
  });
}

function named(columns: readonly TypedColumn[], wanted: string): TypedColumn | undefined {
  return columns.find(({ name }) => fold(name) === fold(wanted));
}

function columnOf(node: unknown, find: ColumnFinder): TypedColumn | null {
  const names = columnNamesOf(node);
  return names === null ? null : find(names);
}

/**
 * The values that a column can have, read from the other table; null when there are more than 10,000.
 *
 * @param table the SQL name of the other table
 */
export async function keysOf(
  connection: Connection,
  { column, from, key, reference }: KeySource,
  table: string,
  columnsOf: ColumnsOf,
  signal: AbortSignal,
): Promise<Filter | null> {
  const filters: Filter[] = [];
  for (const { conjunct, visible } of conditionsOn(reference)) {
    const found = await filtersOf(connection, conjunct, finderOf(from, visible, columnsOf));
    // Rows without a match have nulls in its place: a condition that wants null would keep other rows than it does now.
    filters.push(...found.filter(({ operator }) => operator !== "is_null"));
  }
  const name = quoteIdentifier(key.name);
  const rows = await connection.rows<{ value: FilterValue }>(
    `SELECT DISTINCT ${valueSql(name, key.type)} AS value FROM ${table} ` +
      `WHERE ${name} IS NOT NULL AND ${filterToSql(filters)} LIMIT ${VALUES_MAX + 1}`,
    { signal },
  );
  if (rows.length > VALUES_MAX) return null;
  const values = rows.map(({ value }) => value);
  return {
    column: column.name,
    operator: "eq",
    values: classOf(key.type) === "whole" ? values.map(wholeOf) : values,
  };
}

/** Days and moments are texts in filters, whole numbers are exact. */
function valueSql(name: string, type: string): string {
  return classOf(type) === "bool" ? name : `CAST(${name} AS VARCHAR)`;
}

function wholeOf(value: FilterValue): bigint {
  return BigInt(textOf(value));
}
