/** A node of DuckDB's tree; see `parseSql`. */
export type Node = Readonly<Record<string, unknown>>;

/** What stands after FROM in one SELECT: the tables that it joins, and how. */
export interface Relation {
  readonly node: Node;
  /** The name by which expressions call it. */
  readonly alias: string;
  /** The joins that it is under, outermost first, and on which side of them. */
  readonly joins: readonly JoinSide[];
}

interface JoinSide {
  readonly join: Node;
  readonly side: "left" | "right";
}

/** One place where a table or another relation is named, with the SELECT whose FROM it stands in. */
export interface Reference {
  readonly relation: Relation;
  readonly select: Node;
  readonly relations: readonly Relation[];
  /** Whether it is the statement itself, and no part of one. */
  readonly isWhole: boolean;
}

/** Everything that stands directly in the FROM of a SELECT. */
export function* referencesIn(root: Node): Generator<Reference, void, void> {
  for (const select of nodesOf(root)) {
    if (select["type"] !== "SELECT_NODE" || !isNode(select["from_table"])) continue;
    const relations = relationsOf(select["from_table"], []);
    for (const relation of relations) yield { relation, select, relations, isWhole: select === root };
  }
}

/** Every table that stands directly in the FROM of a SELECT, by its place in the text. */
export function referencesOf(root: Node): ReadonlyMap<number, Reference> {
  const found = new Map<number, Reference>();
  for (const reference of referencesIn(root)) {
    const { node } = reference.relation;
    if (node["type"] === "BASE_TABLE") found.set(Number(node["query_location"]), reference);
  }
  return found;
}

/** What stands after FROM, outermost joins first. */
export function relationsOf(from: Node, joins: readonly JoinSide[]): readonly Relation[] {
  if (from["type"] === "JOIN") {
    return (["left", "right"] as const).flatMap((side) =>
      relationsOf(from[side] as Node, [...joins, { join: from, side }]),
    );
  }
  return [{ node: from, alias: textOf(from["alias"]) || textOf(from["table_name"]), joins }];
}

export function isNamed(relation: Relation, name: string): boolean {
  return fold(relation.alias) === fold(name);
}

/** All nodes of a tree, each before those inside it. The stack is explicit: authors choose how deep SQL nests. */
export function* nodesOf(root: unknown): Generator<Node, void, void> {
  const todo: unknown[] = [root];
  while (todo.length > 0) {
    const value = todo.pop();
    if (Array.isArray(value)) todo.push(...(value as unknown[]));
    else if (isNode(value)) {
      yield value;
      todo.push(...Object.values(value));
    }
  }
}

/** The parts of a condition that must all hold. */
export function conjunctsOf(condition: unknown): readonly Node[] {
  const conjuncts: Node[] = [];
  const todo: unknown[] = [condition];
  while (todo.length > 0) {
    const node = todo.pop();
    if (!isNode(node)) continue;
    if (node["type"] === "CONJUNCTION_AND") todo.push(...(node["children"] as readonly unknown[]));
    else conjuncts.push(node);
  }
  return conjuncts;
}

/** The parts of the name of a column, or null for another expression. */
export function columnNamesOf(node: unknown): readonly string[] | null {
  return isNode(node) && node["class"] === "COLUMN_REF" ? (node["column_names"] as readonly string[]) : null;
}

export function isNode(value: unknown): value is Node {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** As DuckDB compares names. */
export function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
