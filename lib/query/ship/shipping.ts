import { expressionsIn, parseSql } from "../../sql/mod.ts";
import { tableId, type AnalyticsTable } from "../../analytics/mod.ts";
import { duckdbTypeOf } from "../../duckdb/mod.ts";
import type { LiveTable } from "../../sources/mod.ts";
import { demandOf } from "../live/plan.ts";
import type { LivePlace } from "../live/prepare-live.ts";
import { hasOwnNames, type ColumnsOf, type TypedColumn } from "../live/scope.ts";
import { isNode, type Node } from "../live/tree.ts";
import { notListed } from "./not-listed.ts";
import type { Shipping } from "./relations.ts";
import { translateSelect, type Shipped } from "./select.ts";

/** The maximum number of tables and SELECTs in a FROM: a common table expression is repeated for each reference. */
const RELATIONS_MAX = 50;

/**
 * Translates a statement whose tables are all live.
 *
 * @param rowsMax the number of rows of the result that are read
 * @throws NotListed
 */
export async function translateStatement(place: LivePlace, sql: string, rowsMax: number): Promise<Shipped> {
  const { connection, names, live } = place;
  const parsed = await parseSql(connection, sql);
  if (parsed.kind !== "select") return notListed("a statement that is not a SELECT");
  const { facts, tree } = parsed;
  const root = (tree as { readonly statements: readonly [{ readonly node: Node }] }).statements[0].node;
  if (facts.unusual.length > 0 || facts.tableFunctions.length > 0) return notListed("a table function");
  const tableAtPosition = new Map<number, AnalyticsTable>();
  for (const use of facts.tables) {
    const [table] = use.catalog === "" ? names.resolveKnown([use]) : [];
    if (table === undefined || use.position === null || !live.has(tableId(table)))
      return notListed("a table that is not live");
    tableAtPosition.set(use.position, table);
  }
  const liveAt = (node: Node): LiveTable | null => {
    const table = tableAtPosition.get(Number(node["query_location"]));
    return table === undefined ? null : live.get(tableId(table))!;
  };
  const columnsOf: ColumnsOf = ({ node }) => {
    const table = hasOwnNames(node) ? null : liveAt(node);
    return table && columnsOfLive(table);
  };
  const expressions = expressionsIn(root);
  let aliases = 0;
  const shipping: Shipping = {
    connection,
    async tableAt(node) {
      const table = liveAt(node) ?? notListed("a table that is not live");
      const columns = columnsOfLive(table);
      const one = { positions: [Number(node["query_location"])], columns, isDescribed: false };
      const { filter } = await demandOf(connection, root, one, columnsOf, Infinity);
      return { info: table.whole!.table, columns, filter };
    },
    bodyOf: (node) => bodyOf(node, expressions),
    translateSelect: (select) => translateSelect(select, shipping, null),
    newAlias: () => (aliases < RELATIONS_MAX ? `t${aliases++}` : notListed("many tables")),
  };
  return translateSelect(root, shipping, rowsMax);
}

/** Returns the columns of a live table. */
export function columnsOfLive({ schema }: LiveTable): readonly TypedColumn[] {
  return schema.fields.map((field) => ({ name: String(field.name), type: duckdbTypeOf(field) }));
}

function bodyOf(node: Node, expressions: ReadonlyMap<Node, Node | null>): Node | null {
  if (node["type"] === "SUBQUERY") return selectOf(node["subquery"]);
  const expression = expressions.get(node);
  if (expression === undefined) return null;
  if (expression === null) return notListed("a recursive common table expression");
  if (((expression["aliases"] ?? []) as readonly unknown[]).length > 0)
    return notListed("new names of columns after WITH");
  return selectOf(expression["query"]);
}

function selectOf(query: unknown): Node {
  const body = isNode(query) ? query["node"] : null;
  return isNode(body) ? body : notListed("a subquery that is not a SELECT");
}
