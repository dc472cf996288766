import type { SourceExpression, SourceRelation, SourceStatement } from "../../kit/mod.ts";

/**
 * Whether a source returns fewer rows for the whole statement than for its tables with their conditions: it groups, joins, sorts
 * for a limit, or has a condition that cannot be pushed down to a table.
 */
export function isWorthShipping(statement: SourceStatement): boolean {
  const { from, where, groups, isDistinct, limit, order } = statement;
  if (groups !== null || isDistinct || (limit !== null && order.length > 0)) return true;
  return (where !== null && !isPlain(where)) || isRelationWorth(from);
}

function isRelationWorth(relation: SourceRelation): boolean {
  if (relation.kind === "join") return true;
  return relation.kind === "select" && isWorthShipping(relation.statement);
}

/** Whether a condition is pushed down to a table: comparisons of columns with constants, ANDed. */
function isPlain(condition: SourceExpression): boolean {
  const { kind } = condition;
  if (kind === "and") return condition.operands.every(isPlain);
  if (kind === "compare")
    return isColumn(condition.left) ? isLiteral(condition.right) : isLiteral(condition.left);
  if (kind === "in") return isColumn(condition.operand) && condition.values.every(isLiteral);
  if (kind === "is_null") return isColumn(condition.operand);
  if (kind !== "not") return false;
  const { operand } = condition;
  return (operand.kind === "is_null" || operand.kind === "in") && isPlain(operand);
}

const isColumn = ({ kind }: SourceExpression): boolean => kind === "column";
const isLiteral = ({ kind }: SourceExpression): boolean => kind === "literal";
