import { isHidden, type ColumnsOf } from "./scope.ts";
import {
  columnNamesOf,
  fold,
  isNamed,
  isNode,
  nodesOf,
  relationsOf,
  textOf,
  type Node,
  type Relation,
} from "./tree.ts";

/**
 * Returns the output columns of a SELECT by their folded names, with the expression of each, except columns that DuckDB
 * may have renamed. Null if the columns cannot be determined.
 */
export function outputsOf(select: Node, columnsOf: ColumnsOf): ReadonlyMap<string, Node> | null {
  const outputs = new Map<string, Node>();
  const repeated = new Set<string>();
  const add = (name: string, expression: Node) => {
    if (outputs.has(name)) repeated.add(name);
    outputs.set(name, expression);
  };
  for (const item of select["select_list"] as readonly Node[]) {
    if (item["class"] === "STAR") {
      for (const relation of starRelations(item, select) ?? [null]) {
        const columns = relation && columnsOf(relation);
        if (columns === null) return null;
        for (const column of columns) {
          const name = fold(column.name);
          add(name, { class: "COLUMN_REF", column_names: [relation!.alias, name] });
        }
      }
      continue;
    }
    const names = columnNamesOf(item);
    if (names === null && !isOneColumn(item)) return null;
    add(fold(textOf(item["alias"])) || fold(names?.at(-1) ?? ""), item);
  }
  for (const name of outputs.keys()) {
    // DuckDB appends such a suffix to the second of two columns with the same name.
    if (repeated.has(name) || /[_:]\d+$/.test(name)) outputs.delete(name);
  }
  return outputs;
}

/** Returns the relations whose columns a star expands to; null if it changes or merges columns. */
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

/** Whether an expression returns one column, named by its alias or by a text with a parenthesis. */
function isOneColumn(item: Node): boolean {
  for (const node of nodesOf(item)) {
    // COLUMNS(…) returns many columns, and unnest of a struct one per field.
    if (node["class"] === "STAR" || fold(textOf(node["function_name"])) === "unnest") return false;
  }
  return textOf(item["alias"]) !== "" || item["class"] === "FUNCTION";
}
