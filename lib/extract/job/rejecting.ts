import type { RejectRules } from "../format/extract-state.ts";
import type { TablePlan } from "./plan.ts";

type Rules = Pick<TablePlan, "quarantine" | "quarantineMaxPercent" | "schemaPolicy">;

/** The share of rejected rows, in percent of the rows read, above which a table fails when its plan sets none. */
const MAX_PERCENT = 5;

/** The share of rejected rows, in percent of the rows read, above which a table fails. */
export function quarantineMaxPercentOf({
  quarantineMaxPercent,
}: Pick<Rules, "quarantineMaxPercent">): number {
  return quarantineMaxPercent ?? MAX_PERCENT;
}

/** The loosest rules by which rows are missing from a table: those of before, and those of the plan if it rejected rows. */
export function rejectingAfter(
  before: RejectRules | undefined,
  plan: Rules,
  rejectedRows: number,
): RejectRules | undefined {
  if (rejectedRows === 0) return before;
  const maxPercent = quarantineMaxPercentOf(plan);
  const { schemaPolicy } = plan;
  if (before === undefined) return { maxPercent, schemaPolicy };
  return {
    maxPercent: Math.max(before.maxPercent, maxPercent),
    schemaPolicy: before.schemaPolicy === "freeze" ? "freeze" : schemaPolicy,
  };
}

/** Whether rows that were rejected by `before` may be published by the plan, or fail its table. */
export function isStricter(plan: Rules, before: RejectRules): boolean {
  return (
    !plan.quarantine ||
    quarantineMaxPercentOf(plan) < before.maxPercent ||
    (before.schemaPolicy === "freeze" && plan.schemaPolicy === "evolve")
  );
}
