/**
 * The use of VARIANT in a statement. DuckDB casts nested JSON to VARIANT, and reads nested VARIANT, without a limit: at
 * about 100,000 levels the stack overflows and the process crashes. VARIANT is safe if the depth of nesting does not
 * depend on data.
 */
export interface VariantFacts {
  /** The number of types that are or contain VARIANT; each adds the depth of one expression. */
  named: number;
  /** Whether the statement may produce JSON of unknown depth. */
  json: boolean;
  /** Whether a recursive expression or a reduction may add a level of nesting in each step. */
  repeats: boolean;
}

type Node = Readonly<Record<string, unknown>>;

/** More nesting than any literal in practice; DuckDB supports about a hundred times as much. */
const LITERAL_DEPTH_MAX = 250;

const REDUCTIONS = new Set(["array_reduce", "list_reduce", "reduce"]);

/** Functions whose `x -> y` is a lambda; elsewhere the arrow extracts from JSON. */
const WITH_LAMBDA = new Set(
  `apply array_apply array_filter array_reduce array_transform filter list_apply list_filter list_reduce
  list_transform reduce`.split(/\s+/),
);

/** Updates the facts with one node of a tree. */
export function noteVariant(facts: VariantFacts, node: Node): void {
  if (namesType(node, "variant")) facts.named += 1;
  if (namesType(node, "json")) facts.json = true;
  const name = functionName(node);
  if (name.includes("json") || name === "->") facts.json = true;
  if (REDUCTIONS.has(name) || node["type"] === "RECURSIVE_CTE_NODE") facts.repeats = true;
  for (const value of Object.values(node)) if (extractsJson(value, node)) facts.json = true;
}

/** Whether a node casts a literal of limited depth to JSON. */
export function isShallowJson(node: Node): boolean {
  const child = node["child"] as Node | undefined;
  if (node["class"] !== "CAST" || child?.["class"] !== "CONSTANT") return false;
  const { value } = child["value"] as { readonly value: unknown };
  const type = node["cast_type"] as Node;
  if (typeof value !== "string" || !namesType((type["type_info"] ?? {}) as Node, "json")) return false;
  return (value.match(/[[{]/g)?.length ?? 0) <= LITERAL_DEPTH_MAX;
}

function namesType(node: Node, name: string): boolean {
  const named = node["type"] === "UNBOUND_TYPE_INFO" ? node["name"] : node["id"];
  return typeof named === "string" && named.toLowerCase() === name;
}

/** Whether a value extracts from JSON with an arrow. DuckDB's parser returns every arrow as a lambda. */
function extractsJson(value: unknown, parent: Node): boolean {
  if (Array.isArray(value)) return value.some((item) => extractsJson(item, parent));
  if (value === null || typeof value !== "object" || (value as Node)["class"] !== "LAMBDA") return false;
  return !WITH_LAMBDA.has(functionName(parent));
}

function functionName(node: Node): string {
  const name = node["function_name"];
  return typeof name === "string" ? name.toLowerCase() : "";
}
