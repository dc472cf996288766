import type { Connection } from "../../duckdb/mod.ts";
import type { SourceComparison, SourceExpression } from "../../kit/mod.ts";
import { constantOf, OPERATORS, valuesOf, VALUES_MAX } from "../live/conditions.ts";
import { columnNamesOf, isNode, textOf, type Node } from "../live/tree.ts";
import { aggregateOf } from "./aggregates.ts";
import { comparable, condition, isReturned, kindOf } from "./kinds.ts";
import { notListed } from "./not-listed.ts";

/** The names that an expression can use. */
export interface Names {
  readonly connection: Connection;
  /** Returns a column, or the expression with this alias and the names that it can use. @throws NotListed */
  readonly find: (
    names: readonly string[],
  ) => SourceExpression | { readonly node: Node; readonly names: Names };
}

const INT32_MAX = 2n ** 31n;
const INT64_MAX = 2n ** 63n;

/** Translates an expression of DuckDB's tree. @throws NotListed */
export async function translate(node: unknown, names: Names): Promise<SourceExpression> {
  if (!isNode(node)) return notListed("an expression that is not known");
  if (constantOf(node) !== null) return literalOf(node, ownType([node]), names);
  const children = (node["children"] ?? []) as readonly unknown[];
  const type = textOf(node["type"]);
  switch (node["class"]) {
    case "COLUMN_REF": {
      const found = names.find(columnNamesOf(node)!);
      return "node" in found ? translate(found.node, found.names) : found;
    }
    case "COMPARISON":
      return comparison(OPERATORS[type], node["left"], node["right"], names);
    case "BETWEEN":
      return {
        kind: "and",
        type: "BOOLEAN",
        operands: [
          await comparison("ge", node["input"], node["lower"], names),
          await comparison("le", node["input"], node["upper"], names),
        ],
      };
    case "CONJUNCTION": {
      const kind = type === "CONJUNCTION_AND" ? "and" : "or";
      return { kind, type: "BOOLEAN", operands: (await all(children, names)).map(condition) };
    }
    case "OPERATOR":
      return operation(type, children, names);
    case "CASE":
      return caseOf(node, names);
    case "FUNCTION":
      return node["is_operator"] === true
        ? arithmetic(textOf(node["function_name"]), children, names)
        : aggregateOf(node, (argument) => translate(argument, names));
    default:
      return notListed(textOf(node["class"]));
  }
}

async function all(nodes: readonly unknown[], names: Names): Promise<readonly SourceExpression[]> {
  const expressions: SourceExpression[] = [];
  for (const node of nodes) expressions.push(await translate(node, names));
  return expressions;
}

/** Translates a constant as a value of a type, as DuckDB would convert it. @throws NotListed if that is not exact */
async function literalOf(node: unknown, type: string, { connection }: Names): Promise<SourceExpression> {
  const values = await valuesOf(connection, [node], type);
  if (values === null) return notListed(`a constant as ${type}`);
  return { kind: "literal", type, value: values[0]! as string | bigint | boolean | null };
}

/** Returns the type that DuckDB has for constants without another value. @throws NotListed */
function ownType(nodes: readonly unknown[]): string {
  const types = new Set(
    nodes.flatMap((node) => {
      const { is, value } = constantOf(node)!;
      if (value === null) return [];
      if (is === "text" && typeof value === "string") return "VARCHAR";
      if (is === "bool") return "BOOLEAN";
      if (is === "date") return "DATE";
      if (is !== "whole" || typeof value !== "bigint") return "";
      if (value >= -INT32_MAX && value < INT32_MAX) return "INTEGER";
      return value >= -INT64_MAX && value < INT64_MAX ? "BIGINT" : "";
    }),
  );
  return sameType(types) ?? notListed("constants of other types");
}

/** Returns the common type of values; undefined if their conversion may not be exact. */
function sameType(types: ReadonlySet<string>): string | undefined {
  const [first, ...others] = [...types];
  if (first === "" || others.length === 0) return first === "" ? undefined : first;
  return [...types].every((type) => type === "INTEGER" || type === "BIGINT") ? "BIGINT" : undefined;
}

/** Translates values of one type; the constants among them are converted to that of the others. @throws NotListed */
async function unified(
  nodes: readonly unknown[],
  names: Names,
  canMixIntegers = false,
): Promise<{ readonly type: string; readonly values: readonly SourceExpression[] }> {
  const isConstant = (node: unknown) => constantOf(node) !== null;
  const own: (SourceExpression | null)[] = [];
  for (const node of nodes) own.push(isConstant(node) ? null : comparable(await translate(node, names)));
  const types = new Set(own.flatMap((one) => one?.type ?? []));
  const isWhole = canMixIntegers && [...types].every((type) => kindOf(type) === "whole");
  const type =
    types.size === 0
      ? ownType(nodes)
      : (sameType(types) ?? (isWhole ? "HUGEINT" : notListed("values of several types")));
  const values: SourceExpression[] = [];
  for (const [at, one] of own.entries()) values.push(one ?? (await literalOf(nodes[at], type, names)));
  return { type, values };
}

async function comparison(
  operator: SourceComparison | undefined,
  left: unknown,
  right: unknown,
  names: Names,
): Promise<SourceExpression> {
  if (operator === undefined) return notListed("a comparison that is not listed");
  const { type, values } = await unified([left, right], names, true);
  if (kindOf(type) === "bool" && operator !== "eq" && operator !== "ne")
    return notListed("an order of booleans");
  if (values.every(({ kind }) => kind === "literal")) return notListed("a comparison of constants");
  return { kind: "compare", type: "BOOLEAN", operator, left: values[0]!, right: values[1]! };
}

async function operation(
  type: string,
  children: readonly unknown[],
  names: Names,
): Promise<SourceExpression> {
  const not = (operand: SourceExpression): SourceExpression => ({ kind: "not", type: "BOOLEAN", operand });
  switch (type) {
    case "OPERATOR_NOT":
      return not(condition(await translate(children[0], names)));
    case "OPERATOR_IS_NULL":
    case "OPERATOR_IS_NOT_NULL": {
      const operand = await translate(children[0], names);
      if (!isReturned(operand.type)) return notListed(`IS NULL of ${operand.type}`);
      const isNull: SourceExpression = { kind: "is_null", type: "BOOLEAN", operand };
      return type === "OPERATOR_IS_NULL" ? isNull : not(isNull);
    }
    case "OPERATOR_COALESCE": {
      const { type: common, values } = await unified(children, names);
      return { kind: "coalesce", type: common, operands: values };
    }
    case "COMPARE_IN":
    case "COMPARE_NOT_IN": {
      if (children.length < 2 || children.length > VALUES_MAX + 1) return notListed("IN of many values");
      const { values } = await unified(children, names);
      const [operand, ...others] = values;
      if (operand!.kind === "literal") return notListed("IN of a constant");
      const found: SourceExpression = { kind: "in", type: "BOOLEAN", operand: operand!, values: others };
      return type === "COMPARE_IN" ? found : not(found);
    }
    default:
      return notListed(type);
  }
}

async function caseOf(node: Node, names: Names): Promise<SourceExpression> {
  const checks = node["case_checks"] as readonly Node[];
  const { type, values } = await unified(
    [...checks.map((one) => one["then_expr"]), node["else_expr"]],
    names,
  );
  const branches: { readonly when: SourceExpression; readonly value: SourceExpression }[] = [];
  for (const [at, check] of checks.entries()) {
    branches.push({ when: condition(await translate(check["when_expr"], names)), value: values[at]! });
  }
  return { kind: "case", type, branches, otherwise: values.at(-1)! };
}

const ARITHMETIC = new Set(["+", "-", "*"]);

/** Only of 64-bit integers: an overflow is an error in DuckDB as well. */
async function arithmetic(
  operator: string,
  children: readonly unknown[],
  names: Names,
): Promise<SourceExpression> {
  if (!ARITHMETIC.has(operator) || children.length !== 2) return notListed(`the operator ${operator}`);
  const [left, right] = (await all(children, names)) as [SourceExpression, SourceExpression];
  const types = [left.type, right.type];
  if (!types.includes("BIGINT") || !types.every((type) => type === "BIGINT" || type === "INTEGER"))
    return notListed(`the operator ${operator} of ${types.join(" and ")}`);
  return { kind: "arithmetic", type: "BIGINT", operator: operator as "+" | "-" | "*", left, right };
}
