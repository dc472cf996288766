import type { SourceExpression } from "../../kit/mod.ts";
import { decimalTypeOf } from "../live/decimals.ts";
import { fold, isNode, textOf, type Node } from "../live/tree.ts";
import { comparable, condition, isReturned } from "./kinds.ts";
import { notListed } from "./not-listed.ts";

const NAMES = new Set(["count_star", "count", "sum", "min", "max"]);
/** The digits of a sum of decimals. */
const DIGITS = 38;

/** Whether an expression contains an aggregate of the list. */
export function hasAggregate(expression: SourceExpression): boolean {
  return isAggregate(expression) || partsOf(expression).some(hasAggregate);
}

export function isAggregate({ kind }: SourceExpression): boolean {
  return kind === "count" || kind === "sum" || kind === "min" || kind === "max";
}

/** Returns the direct parts of an expression. */
export function partsOf(expression: SourceExpression): readonly SourceExpression[] {
  switch (expression.kind) {
    case "column":
    case "literal":
      return [];
    case "compare":
    case "arithmetic":
      return [expression.left, expression.right];
    case "and":
    case "or":
    case "coalesce":
      return expression.operands;
    case "in":
      return [expression.operand, ...expression.values];
    case "case":
      return [...expression.branches.flatMap(({ when, value }) => [when, value]), expression.otherwise];
    case "count":
      return expression.operand === null ? [] : [expression.operand];
    case "not":
    case "is_null":
    case "sum":
    case "min":
    case "max":
      return [expression.operand];
  }
}

/**
 * Translates a call of an aggregate function.
 *
 * @param translate translates its arguments
 * @throws NotListed
 */
export async function aggregateOf(
  node: Node,
  translate: (argument: unknown) => Promise<SourceExpression>,
): Promise<SourceExpression> {
  const name = fold(textOf(node["function_name"]));
  const orders = (node["order_bys"] as { readonly orders?: readonly unknown[] } | null)?.orders ?? [];
  const isPlain = node["schema"] === "" && node["catalog"] === "" && node["export_state"] === false;
  if (!NAMES.has(name) || !isPlain || orders.length > 0) return notListed(`the function ${name}`);
  const isDistinct = node["distinct"] === true;
  const children = node["children"] as readonly unknown[];
  const filter = isNode(node["filter"]) ? condition(await translate(node["filter"])) : null;
  if (children.length === 0) {
    if (isDistinct) return notListed("count of distinct rows");
    return counted(
      filter === null ? null : filtered({ kind: "literal", type: "INTEGER", value: 1n }, filter),
    );
  }
  if (children.length > 1 || name === "count_star")
    return notListed(`the function ${name} of several values`);
  const own = await translate(children[0]);
  const isConstant = own.kind === "literal";
  if (name === "count" && isConstant && own.value !== null && !isDistinct)
    return counted(filter === null ? null : filtered(own, filter));
  if (isConstant && name !== "sum") return notListed(`the function ${name} of a constant`);
  const operand = filter === null ? own : filtered(own, filter);
  switch (name) {
    case "count": {
      if (!isReturned(own.type)) return notListed(`count of ${own.type}`);
      return counted(isDistinct ? comparable(operand) : operand, isDistinct);
    }
    case "sum":
      return { kind: "sum", type: sumType(operand.type), operand, isDistinct };
    default: {
      if (operand.type === "BOOLEAN") return notListed(`the function ${name} of booleans`);
      return { kind: name as "min" | "max", type: operand.type, operand: comparable(operand) };
    }
  }
}

function counted(operand: SourceExpression | null, isDistinct = false): SourceExpression {
  return { kind: "count", type: "BIGINT", operand, isDistinct };
}

/** The value in rows that meet a condition, and null in the others, which aggregates ignore. */
function filtered(value: SourceExpression, when: SourceExpression): SourceExpression {
  const otherwise: SourceExpression = { kind: "literal", type: value.type, value: null };
  return { kind: "case", type: value.type, branches: [{ when, value }], otherwise };
}

function sumType(type: string): string {
  if (type === "BIGINT" || type === "INTEGER") return "HUGEINT";
  const decimal = decimalTypeOf(type);
  return decimal === null ? notListed(`the sum of ${type}`) : `DECIMAL(${DIGITS},${decimal.scale})`;
}
