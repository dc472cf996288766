/**
 * What a statement does with VARIANT. DuckDB casts nested JSON to VARIANT, and reads nested VARIANT, without a bound:
 * with some 100,000 levels the stack is full and the process ends. VARIANT is safe while no text of the data can
 * decide how deep it nests.
 */
export interface VariantFacts {
  /** How often a type is VARIANT, or has it inside: each time adds the depth of one expression. */
  named: number;
  /** Something may give JSON whose depth the statement does not show. */
  json: boolean;
  /** A recursive expression or a reduction may nest a value as often as it runs. */
  repeats: boolean;
}

type Node = Readonly<Record<string, unknown>>;

/** Deeper nesting than any literal that people write; DuckDB bears some hundred times as much. */
const LITERAL_DEPTH_MAX = 250;

const REDUCTIONS = new Set(["array_reduce", "list_reduce", "reduce"]);

/** Their `x -> y` is a lambda; elsewhere it takes JSON apart. */
const WITH_LAMBDA = new Set(
  `apply array_apply array_filter array_reduce array_transform filter list_apply list_filter list_reduce
  list_transform reduce`.split(/\s+/),
);

/** Adds what one node of a tree says. */
export function noteVariant(facts: VariantFacts, node: Node): void {
  if (namesType(node, "variant")) facts.named += 1;
  if (namesType(node, "json")) facts.json = true;
  const name = functionName(node);
  if (name.includes("json") || name === "->") facts.json = true;
  if (REDUCTIONS.has(name) || node["type"] === "RECURSIVE_CTE_NODE") facts.repeats = true;
  for (const value of Object.values(node)) if (takesJsonApart(value, node)) facts.json = true;
}

/** Whether it casts a literal to JSON that shows how deep it nests. */
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

/** The arrow is a lambda for DuckDB's parser, wherever it stands. */
function takesJsonApart(value: unknown, parent: Node): boolean {
  if (Array.isArray(value)) return value.some((item) => takesJsonApart(item, parent));
  if (value === null || typeof value !== "object" || (value as Node)["class"] !== "LAMBDA") return false;
  return !WITH_LAMBDA.has(functionName(parent));
}

function functionName(node: Node): string {
  const name = node["function_name"];
  return typeof name === "string" ? name.toLowerCase() : "";
}
