import type { ColumnFinder } from "./conditions.ts";
import { conjunctsOf, fold, isNode, textOf, type Node, type Reference, type Relation } from "./tree.ts";

/** A column of a table with its DuckDB type. */
export interface TypedColumn {
  readonly name: string;
  readonly type: string;
}

/** The columns of a relation; null when they are not known. */
export type ColumnsOf = (relation: Relation) => readonly TypedColumn[] | null;

/** A condition under which alone rows of a table can matter, and what its names can mean. */
export interface Scoped {
  readonly conjunct: Node;
  /** The relations whose columns it can name. */
  readonly visible: readonly Relation[];
  /** Whether rows of the table may be replaced by nulls before it is evaluated, so that `IS NULL` says nothing of them. */
  readonly isNullable: boolean;
}

/**
 * The conditions that a row of a table must meet to matter: those of WHERE, and those of joins that drop the row when it
 * meets none.
 *
 * A comparison does not hold for null. So a row that fails one can be left out even when an outer join then has nulls
 * in its place: they fail as well.
 */
export function conditionsOn({ relation, select, relations }: Reference): readonly Scoped[] {
  if (!isPlain(relation, select)) return [];
  const found: Scoped[] = [];
  const shown = relations.filter((one) => !isHidden(one));
  if (shown.includes(relation)) {
    const isNullable = relation.joins.some(({ join, side }) => !keeps(join, side));
    for (const conjunct of conjunctsOf(select["where_clause"])) {
      found.push({ conjunct, visible: shown, isNullable });
    }
  }
  for (const { join, side } of relation.joins) {
    const under = visibleUnder(join, relations);
    // What a SEMI or ANTI join hides cannot be meant by a join outside it.
    if (!drops(join, side) || !under.includes(relation)) continue;
    for (const conjunct of conjunctsOf(join["condition"])) {
      found.push({ conjunct, visible: under, isNullable: true });
    }
  }
  return found;
}

/** Whether a table is joined as sets of rows are: neither by position, nor to the nearest, nor as a sample. */
export function isPlain({ node, joins }: Relation, select: Node): boolean {
  if (select["sample"] !== null || node["sample"] !== null || isNode(node["at_clause"])) return false;
  if (hasOwnNames(node)) return false;
  return joins.every(
    ({ join }) => KINDS.has(textOf(join["ref_type"])) && TYPES.has(textOf(join["join_type"])),
  );
}

/** Whether the columns of a relation have other names here: `FROM t AS t(a, b)`. */
export function hasOwnNames(relation: Node): boolean {
  return ((relation["column_name_alias"] ?? []) as readonly unknown[]).length > 0;
}

/** Whether a SELECT neither groups the rows of its FROM, nor picks among them by anything but its WHERE. */
export function isUngrouped(select: Node): boolean {
  const lists = [select["group_expressions"], select["group_sets"]] as readonly (readonly unknown[])[];
  if (lists.some((list) => list.length > 0) || select["aggregate_handling"] !== "STANDARD_HANDLING")
    return false;
  return [select["having"], select["qualify"], select["sample"]].every((part) => part === null);
}

const KINDS = new Set(["CROSS", "REGULAR", "NATURAL"]);
const TYPES = new Set(["INNER", "LEFT", "RIGHT", "OUTER", "FULL", "SEMI", "ANTI"]);

/** Whether a join never puts nulls in the place of a row of that side. */
function keeps(join: Node, side: "left" | "right"): boolean {
  const type = join["join_type"];
  if (type === "INNER") return true;
  return side === "left" ? ["LEFT", "SEMI", "ANTI"].includes(textOf(type)) : type === "RIGHT";
}

/** Whether a join drops the rows of that side that meet its condition with none of the other, or uses no others. */
export function drops(join: Node, side: "left" | "right"): boolean {
  const type = textOf(join["join_type"]);
  if (type === "INNER" || type === "SEMI") return true;
  return side === "left" ? type === "RIGHT" : type === "LEFT" || type === "ANTI";
}

/** Whether nothing outside its join can name it. */
export function isHidden({ joins }: Relation): boolean {
  return joins.some(
    ({ join, side }) => side === "right" && ["SEMI", "ANTI"].includes(textOf(join["join_type"])),
  );
}

/** The relations that the condition of a join can name. */
export function visibleUnder(join: Node, relations: readonly Relation[]): readonly Relation[] {
  return relations.filter((one) => {
    const at = one.joins.findIndex((above) => above.join === join);
    return at !== -1 && !isHidden({ ...one, joins: one.joins.slice(at + 1) });
  });
}

/** Finds the columns of one relation among those that can be named. */
export function finderOf(
  relation: Relation,
  visible: readonly Relation[],
  columnsOf: ColumnsOf,
): ColumnFinder {
  const merged = mergedNames(visible);
  return (names) => {
    const last = fold(names.at(-1)!);
    const find = (one: Relation) => columnsOf(one)?.find(({ name }) => fold(name) === last) ?? null;
    if (names.length > 2) return null;
    if (names.length === 2) return fold(names[0]!) === fold(relation.alias) ? find(relation) : null;
    // Of two tables that have it DuckDB takes neither, except for the columns that a join makes one.
    if (merged === null || merged.has(last)) return null;
    const others = visible.filter((one) => one !== relation && find(one) !== null);
    return others.length > 0 ? null : find(relation);
  };
}

/** The columns that joins make one; null when it is not known which. */
function mergedNames(relations: readonly Relation[]): ReadonlySet<string> | null {
  const names = new Set<string>();
  for (const { joins } of relations) {
    for (const { join } of joins) {
      if (join["ref_type"] === "NATURAL") return null;
      for (const name of join["using_columns"] as readonly string[]) names.add(fold(name));
    }
  }
  return names;
}
