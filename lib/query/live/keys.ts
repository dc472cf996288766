import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { filterToSql, type Filter, type FilterValue } from "../../kit/mod.ts";
import { shortDecimal } from "./decimals.ts";
import { classOf, filtersOf, VALUES_MAX, type ColumnFinder } from "./conditions.ts";
import { originIn, originOf, originOfUsing, type Origin, type Tracing } from "./trace.ts";
import {
  conditionsOn,
  drops,
  finderOf,
  isPlain,
  isUngrouped,
  visibleUnder,
  type ColumnsOf,
  type TypedColumn,
} from "./scope.ts";
import {
  columnNamesOf,
  conjunctsOf,
  fold,
  isNamed,
  isNode,
  relationsOf,
  textOf,
  type Node,
  type Reference,
  type Relation,
} from "./tree.ts";

/** A column of a live table that is restricted to the values of a column of another table. */
export interface KeySource {
  readonly column: TypedColumn;
  /** The other table and its column. */
  readonly from: Relation;
  readonly key: TypedColumn;
  /** The reference to the other table, whose conditions restrict the values. */
  readonly reference: Reference;
}

/** Returns the restrictions of a table's columns by joins, `IN (SELECT …)` and EXISTS. */
export function keySourcesOf(reference: Reference, tracing: Tracing): readonly KeySource[] {
  const { columnsOf } = tracing;
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
          const inner = originIn(from, columnNamesOf(other), tracing);
          if (key !== null)
            sources.push(sourceOf(column, { key, reference: { ...reference, relation: from } }));
          else if (inner !== null) sources.push(sourceOf(column, inner));
        }
      }
    } else if (conjunct["class"] === "SUBQUERY") {
      sources.push(
        ...subquerySource(conjunct, find, tracing),
        ...existsSources(conjunct, reference, tracing),
      );
    }
  }
  sources.push(...usingSources(reference, tracing));
  return sources.filter(({ column, key }) => areComparable(column.type, key.type));
}

/** Decimals of another type may not fit the column. */
function areComparable(type: string, keyType: string): boolean {
  const kind = classOf(type);
  return kind !== null && kind === classOf(keyType) && (kind !== "decimal" || type === keyType);
}

function sourceOf(column: TypedColumn, { key, reference }: Origin): KeySource {
  return { column, from: reference.relation, key, reference };
}

/** `column IN (SELECT key FROM …)`. */
function subquerySource(conjunct: Node, find: ColumnFinder, tracing: Tracing): readonly KeySource[] {
  if (conjunct["subquery_type"] !== "ANY" || conjunct["comparison_type"] !== "COMPARE_EQUAL") return [];
  const column = columnOf(conjunct["child"], find);
  const select = (conjunct["subquery"] as Node)["node"] as Node;
  const list = (select["select_list"] ?? []) as readonly unknown[];
  if (column === null || list.length !== 1) return [];
  const origin = originOf(select, list[0], tracing);
  return origin === null ? [] : [sourceOf(column, origin)];
}

/** `EXISTS (SELECT … FROM … WHERE key = table.column)`. */
function existsSources(conjunct: Node, { relation }: Reference, tracing: Tracing): readonly KeySource[] {
  if (conjunct["subquery_type"] !== "EXISTS") return [];
  const select = (conjunct["subquery"] as Node)["node"] as Node;
  if (!hasRowsOfFromOnly(select)) return [];
  const relations = relationsOf(select["from_table"] as Node, []);
  return conjunctsOf(select["where_clause"]).flatMap((inner) => {
    if (inner["type"] !== "COMPARE_EQUAL") return [];
    const sides = [inner["left"], inner["right"]] as const;
    return [sides, [...sides].reverse()].flatMap(([own, other]) => {
      const names = columnNamesOf(own);
      if (names?.length !== 2 || !isNamed(relation, names[0]!)) return [];
      if (relations.some((one) => mayReferTo(one, names, tracing.columnsOf))) return [];
      const column = named(tracing.columnsOf(relation) ?? [], names[1]!);
      const origin = originOf(select, other, tracing);
      return column === undefined || origin === null ? [] : [sourceOf(column, origin)];
    });
  });
}

/** Whether a name of two parts can refer to a relation: its alias and a column, or a column and a field. */
function mayReferTo(relation: Relation, [first, last]: readonly string[], columnsOf: ColumnsOf): boolean {
  const columns = columnsOf(relation);
  if (columns === null || isNamed(relation, first!) || isNamed(relation, last!)) return true;
  return named(columns, first!) !== undefined;
}

/**
 * Whether a SELECT returns a row exactly if its FROM has a row that satisfies its WHERE. An aggregate returns a row for
 * an empty input, and the parser does not know which functions are aggregates.
 */
function hasRowsOfFromOnly(select: Node): boolean {
  if (select["type"] !== "SELECT_NODE" || !isNode(select["from_table"])) return false;
  if ((select["modifiers"] as readonly unknown[]).length > 0 || !isUngrouped(select)) return false;
  return (select["select_list"] as readonly Node[]).every(
    (item) => ["CONSTANT", "COLUMN_REF", "STAR"].includes(textOf(item["class"])) && !isNode(item["expr"]),
  );
}

/** Returns the restrictions by `USING`. If several tables on one side have the column, inner joins have merged it. */
function usingSources(reference: Reference, tracing: Tracing): readonly KeySource[] {
  const { columnsOf } = tracing;
  const { relation, relations, select } = reference;
  if (!isPlain(relation, select)) return [];
  return relation.joins.flatMap(({ join, side }) => {
    if (!drops(join, side)) return [];
    const visible = visibleUnder(join, relations);
    const isInner = (one: Relation) => one.joins.every((at) => at.join["join_type"] === "INNER");
    return (join["using_columns"] as readonly string[]).flatMap((name) => {
      const having = (where: "same" | "other") => {
        const some = visible.filter((one) =>
          one.joins.some((at) => at.join === join && (at.side === side) === (where === "same")),
        );
        if (some.some((one) => columnsOf(one) === null)) return [];
        const found = some.filter((one) => named(columnsOf(one)!, name) !== undefined);
        return found.length > 1 && !some.every(isInner) ? [] : found;
      };
      if (!having("same").includes(relation)) return [];
      const column = named(columnsOf(relation)!, name)!;
      const others = visible.filter((one) => one.joins.some((at) => at.join === join && at.side !== side));
      const inner = others.length === 1 ? originOfUsing(others[0]!, name, tracing) : null;
      if (inner !== null) return [sourceOf(column, inner)];
      const [from] = having("other");
      if (from === undefined) return [];
      const key = named(columnsOf(from)!, name)!;
      return [{ column, from, key, reference: { ...reference, relation: from } }];
    });
  });
}

function named(columns: readonly TypedColumn[], columnName: string): TypedColumn | undefined {
  return columns.find(({ name }) => fold(name) === fold(columnName));
}

function columnOf(node: unknown, find: ColumnFinder): TypedColumn | null {
  const names = columnNamesOf(node);
  return names === null ? null : find(names);
}

/**
 * Reads the possible values of a column from the other table; null if there are more than 10,000.
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
    // IS NULL also applies to the nulls of rows without a match, so it does not restrict the rows of the table.
    filters.push(...found.filter(({ operator }) => operator !== "is_null"));
  }
  const name = quoteIdentifier(key.name);
  const rows = await connection.rows<{ value: FilterValue }>(
    `SELECT DISTINCT ${valueSql(name, key.type)} AS value FROM ${table} ` +
      `WHERE ${name} IS NOT NULL AND ${filterToSql(filters)} LIMIT ${VALUES_MAX + 1}`,
    { signal },
  );
  if (rows.length > VALUES_MAX) return null;
  const kind = classOf(key.type);
  const values = rows.map(({ value }) => {
    if (kind === "whole") return wholeOf(value);
    return kind === "decimal" ? shortDecimal(String(value)) : value;
  });
  return { column: column.name, operator: "eq", values, ...(kind === "decimal" && { isDecimal: true }) };
}

/** In filters, dates, timestamps and decimals are strings and integers are exact. */
function valueSql(name: string, type: string): string {
  return classOf(type) === "bool" ? name : `CAST(${name} AS VARCHAR)`;
}

function wholeOf(value: FilterValue): bigint {
  return BigInt(textOf(value));
}
