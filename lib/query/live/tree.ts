/** A node of DuckDB's tree; see `parseSql`. */
export type Node = Readonly<Record<string, unknown>>;

/** A table or other relation in the FROM of a SELECT. */
export interface Relation {
  readonly node: Node;
  /** Its name in expressions. */
  readonly alias: string;
  /** The joins around it with its side, outermost first. */
  readonly joins: readonly JoinSide[];
}

interface JoinSide {
  readonly join: Node;
  readonly side: "left" | "right";
}

/** A reference to a relation in the FROM of a SELECT. */
export interface Reference {
  readonly relation: Relation;
  readonly select: Node;
  readonly relations: readonly Relation[];
  /** Whether the SELECT is the whole statement. */
  readonly isWhole: boolean;
}

/** Yields all relations that are directly in the FROM of a SELECT. */
export function* referencesIn(root: Node): Generator<Reference, void, void> {
  for (const select of nodesOf(root)) {
    if (select["type"] !== "SELECT_NODE" || !isNode(select["from_table"])) continue;
    const relations = relationsOf(select["from_table"], []);
    for (const relation of relations) yield { relation, select, relations, isWhole: select === root };
  }
}

/** Returns all tables that are directly in the FROM of a SELECT, by their position in the SQL. */
export function referencesOf(root: Node): ReadonlyMap<number, Reference> {
  const found = new Map<number, Reference>();
  for (const reference of referencesIn(root)) {
    const { node } = reference.relation;
    if (node["type"] === "BASE_TABLE") found.set(Number(node["query_location"]), reference);
  }
  return found;
}

/** Returns the relations of a FROM, outermost joins first. */
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

/** Yields all nodes of a tree, parents first. The stack is explicit, because SQL may be nested to any depth. */
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

/** Returns the conjuncts of a condition. */
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

/** Returns the parts of a column name; null for other expressions. */
export function columnNamesOf(node: unknown): readonly string[] | null {
  return isNode(node) && node["class"] === "COLUMN_REF" ? (node["column_names"] as readonly string[]) : null;
}

export function isNode(value: unknown): value is Node {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Folds a name like DuckDB, which ignores the case of ASCII letters only. */
export function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** Returns an integer of DuckDB's tree; null for another value. Integers beyond 2^53 are marked strings, see `parseTree`. */
export function wholeNumberOf(value: unknown): bigint | null {
  if (typeof value === "string") return BigInt(value.replace(/^.*:/s, ""));
  return typeof value === "number" ? BigInt(value) : null;
}
