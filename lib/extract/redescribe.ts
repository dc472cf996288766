import { isAgnesError } from "../base/mod.ts";
import { checkPlan } from "./job/plan.ts";
import type { TableJob } from "./job/job.ts";

/**
 * The job with the table as its connector describes it after a look at all of it, when a read showed that the first
 * description does not hold; `null` when the connector cannot do that, or the error is about something else.
 */
export async function redescribed(job: TableJob, error: unknown): Promise<TableJob | null> {
  const { plan, original, signal } = job;
  const { source, services } = job.run;
  const isAboutTypes =
    isAgnesError(error, "file_value_invalid") || isAgnesError(error, "file_reading_outdated");
  if (!isAboutTypes || source.connector.redescribe === undefined) return null;
  services.log.info("the table is described again, by all of its values", {
    table: plan.name,
    reason: error.message,
  });
  const info = await source.connector.redescribe(plan.info, { signal });
  const next = { ...job, plan: { ...plan, info }, original: { ...original, info } };
  checkPlan(next.plan);
  return next;
}
