import type { SourceExpression } from "../../kit/mod.ts";
import { classOf, type ValueClass } from "../live/conditions.ts";
import { notListed } from "./not-listed.ts";

/** Types of values that are compared, grouped and ordered in the same manner by all sources. */
export type Kind = ValueClass | "instant";

const WHOLE = new Set(["INTEGER", "BIGINT", "HUGEINT"]);

/** Returns the kind of a type; null for one whose comparison differs between sources. */
export function kindOf(type: string): Kind | null {
  if (type === "TIMESTAMP WITH TIME ZONE") return "instant";
  const kind = classOf(type);
  return kind === "whole" && !WHOLE.has(type) ? null : kind;
}

/** Whether values of a type can be returned, and whether they are null has one meaning. */
export function isReturned(type: string): boolean {
  return kindOf(type) !== null || type === "DOUBLE";
}

/** Returns an expression whose values can be compared. @throws NotListed */
export function comparable<T extends SourceExpression>(expression: T): T {
  if (kindOf(expression.type) === null) notListed(`a comparison of ${expression.type}`);
  return expression;
}

/** Returns an expression that is a condition. @throws NotListed */
export function condition<T extends SourceExpression>(expression: T): T {
  if (expression.type !== "BOOLEAN") notListed("a condition that is not a boolean");
  return expression;
}
