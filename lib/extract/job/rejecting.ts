import type { RejectRules } from "../format/extract-state.ts";
import type { TablePlan } from "./plan.ts";

type Rules = Pick<TablePlan, "quarantine" | "quarantineMaxPercent" | "invalidValues" | "schemaPolicy">;

/** The default maximum percentage of rejected rows. */
const MAX_PERCENT = 5;

/** The percentage of rejected rows above which a table fails. */
export function quarantineMaxPercentOf({
  quarantineMaxPercent,
}: Pick<Rules, "quarantineMaxPercent">): number {
  return quarantineMaxPercent ?? MAX_PERCENT;
}

/**
 * The loosest rules under which rows or values are missing, after a read that rejected `rejectedRows`, and set values to
 * null if `isNulled`.
 */
export function rejectingAfter(
  before: RejectRules | undefined,
  plan: Rules,
  rejectedRows: number,
  isNulled = false,
): RejectRules | undefined {
  if (rejectedRows === 0 && !isNulled) return before;
  const { schemaPolicy } = plan;
  const { rows, maxPercent = 0, ...rules } = before ?? { rows: 0, schemaPolicy };
  const hasRejected = rejectedRows > 0 || before?.maxPercent !== undefined;
  const percent = rejectedRows === 0 ? maxPercent : Math.max(maxPercent, quarantineMaxPercentOf(plan));
  return {
    ...(rows === undefined ? {} : { rows: rows + rejectedRows }),
    ...(hasRejected ? { maxPercent: percent } : {}),
    ...(isNulled || rules.nulled === true ? { nulled: true } : {}),
    schemaPolicy: rules.schemaPolicy === "freeze" ? "freeze" : schemaPolicy,
  };
}

/** Whether the plan could publish rows or values that are missing because of `before`, or fail because of them. */
export function isStricter(plan: Rules, { maxPercent, nulled, schemaPolicy }: RejectRules): boolean {
  const rejectsLess =
    maxPercent !== undefined && (!plan.quarantine || quarantineMaxPercentOf(plan) < maxPercent);
  return (
    rejectsLess ||
    (nulled === true && plan.invalidValues !== "null") ||
    (schemaPolicy === "freeze" && plan.schemaPolicy === "evolve")
  );
}
