import type { ColumnFinder } from "./conditions.ts";
import { conjunctsOf, fold, isNode, textOf, type Node, type Reference, type Relation } from "./tree.ts";

/** A column of a table with its DuckDB type. */
export interface TypedColumn {
  readonly name: string;
  readonly type: string;
}

/** Returns the columns of a relation; null if unknown. */
export type ColumnsOf = (relation: Relation) => readonly TypedColumn[] | null;

/** A condition that the relevant rows of a table satisfy, with the scope of its names. */
export interface Scoped {
  readonly conjunct: Node;
  /** The relations whose columns it can use. */
  readonly visible: readonly Relation[];
  /** Whether an outer join may replace rows of the table by nulls before it is evaluated, so that `IS NULL` is no filter. */
  readonly isNullable: boolean;
}

/**
 * Returns the conditions that the relevant rows of a table satisfy: those of WHERE, and those of joins that drop rows
 * without a match.
 *
 * A comparison with null is never true. So a row that fails a condition can be skipped even if an outer join then
 * replaces it by nulls: they fail as well.
 */
export function conditionsOn({ relation, select, relations }: Reference): readonly Scoped[] {
  if (!isPlain(relation, select)) return [];
  const found: Scoped[] = [];
  const visible = relations.filter((one) => !isHidden(one));
  if (visible.includes(relation)) {
    const isNullable = relation.joins.some(({ join, side }) => !keeps(join, side));
    for (const conjunct of conjunctsOf(select["where_clause"])) {
      found.push({ conjunct, visible, isNullable });
    }
  }
  for (const { join, side } of relation.joins) {
    const under = visibleUnder(join, relations);
    // A join cannot refer to relations that an inner SEMI or ANTI join hides.
    if (!drops(join, side) || !under.includes(relation)) continue;
    for (const conjunct of conjunctsOf(join["condition"])) {
      found.push({ conjunct, visible: under, isNullable: true });
    }
  }
  return found;
}

/** Whether a table is joined as a set of rows: no POSITIONAL or ASOF join, no sample, no time travel. */
export function isPlain({ node, joins }: Relation, select: Node): boolean {
  if (select["sample"] !== null || node["sample"] !== null || isNode(node["at_clause"])) return false;
  if (hasOwnNames(node)) return false;
  return joins.every(
    ({ join }) => KINDS.has(textOf(join["ref_type"])) && TYPES.has(textOf(join["join_type"])),
  );
}

/** Whether the FROM renames the columns of a relation: `FROM t AS t(a, b)`. */
export function hasOwnNames(relation: Node): boolean {
  return ((relation["column_name_alias"] ?? []) as readonly unknown[]).length > 0;
}

/** Whether a SELECT does not group the rows of its FROM, and filters them only by its WHERE. */
export function isUngrouped(select: Node): boolean {
  const lists = [select["group_expressions"], select["group_sets"]] as readonly (readonly unknown[])[];
  if (lists.some((list) => list.length > 0) || select["aggregate_handling"] !== "STANDARD_HANDLING")
    return false;
  return [select["having"], select["qualify"], select["sample"]].every((part) => part === null);
}

const KINDS = new Set(["CROSS", "REGULAR", "NATURAL"]);
const TYPES = new Set(["INNER", "LEFT", "RIGHT", "OUTER", "FULL", "SEMI", "ANTI"]);

/** Whether a join never replaces a row of that side by nulls. */
function keeps(join: Node, side: "left" | "right"): boolean {
  const type = join["join_type"];
  if (type === "INNER") return true;
  return side === "left" ? ["LEFT", "SEMI", "ANTI"].includes(textOf(type)) : type === "RIGHT";
}

/** Whether a join drops rows of that side that do not satisfy its condition with any row of the other side. */
export function drops(join: Node, side: "left" | "right"): boolean {
  const type = textOf(join["join_type"]);
  if (type === "INNER" || type === "SEMI") return true;
  return side === "left" ? type === "RIGHT" : type === "LEFT" || type === "ANTI";
}

/** Whether a relation cannot be referred to outside its join. */
export function isHidden({ joins }: Relation): boolean {
  return joins.some(
    ({ join, side }) => side === "right" && ["SEMI", "ANTI"].includes(textOf(join["join_type"])),
  );
}

/** Returns the relations that the condition of a join can refer to. */
export function visibleUnder(join: Node, relations: readonly Relation[]): readonly Relation[] {
  return relations.filter((one) => {
    const at = one.joins.findIndex((above) => above.join === join);
    return at !== -1 && !isHidden({ ...one, joins: one.joins.slice(at + 1) });
  });
}

/** Finds columns of one relation among the visible relations. */
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
    // A name that two tables have is ambiguous, unless a join merges the columns.
    if (merged === null || merged.has(last)) return null;
    const others = visible.filter((one) => one !== relation && find(one) !== null);
    return others.length > 0 ? null : find(relation);
  };
}

/** Returns the columns that joins merge; null if unknown. */
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
