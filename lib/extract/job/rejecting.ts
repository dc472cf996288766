import type { RejectRules } from "../format/extract-state.ts";
import type { TablePlan } from "./plan.ts";

type Rules = Pick<TablePlan, "quarantine" | "quarantineMaxPercent" | "schemaPolicy">;

/** The default maximum percentage of rejected rows. */
const MAX_PERCENT = 5;

/** The percentage of rejected rows above which a table fails. */
export function quarantineMaxPercentOf({
  quarantineMaxPercent,
}: Pick<Rules, "quarantineMaxPercent">): number {
  return quarantineMaxPercent ?? MAX_PERCENT;
}

/** The loosest quarantine rules under which rows are missing, after a read that rejected `rejectedRows`. */
export function rejectingAfter(
  before: RejectRules | undefined,
  plan: Rules,
  rejectedRows: number,
): RejectRules | undefined {
  if (rejectedRows === 0) return before;
  const maxPercent = quarantineMaxPercentOf(plan);
  const { schemaPolicy } = plan;
  if (before === undefined) return { maxPercent, schemaPolicy, rows: rejectedRows };
  return {
    ...(before.rows === undefined ? {} : { rows: before.rows + rejectedRows }),
    maxPercent: Math.max(before.maxPercent, maxPercent),
    schemaPolicy: before.schemaPolicy === "freeze" ? "freeze" : schemaPolicy,
  };
}

/** Whether the plan could publish rows that were rejected under `before`, or fail because of them. */
export function isStricter(plan: Rules, before: RejectRules): boolean {
  return (
    !plan.quarantine ||
    quarantineMaxPercentOf(plan) < before.maxPercent ||
    (before.schemaPolicy === "freeze" && plan.schemaPolicy === "evolve")
  );
}
