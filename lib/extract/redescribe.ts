import { isAgnesError } from "../base/mod.ts";
import { checkPlan } from "./job/plan.ts";
import type { TableJob } from "./job/job.ts";
import { folded } from "./schema/folded.ts";

/**
 * Describes the table again from all of its values after a read contradicted the first description.
 *
 * Returns null if the connector cannot do that or the error has another cause.
 */
export async function redescribed(job: TableJob, error: unknown): Promise<TableJob | null> {
  const isAboutTypes =
    isAgnesError(error, "file_value_invalid") || isAgnesError(error, "file_reading_outdated");
  if (!isAboutTypes || job.run.source.connector.redescribe === undefined) return null;
  return describeAgain(job, error.message);
}

/**
 * Keeps the published types if the new description turns a typed column into text. With a quarantine, the rows with
 * other values are rejected instead; with `invalidValues: "null"`, these values become null.
 */
export async function withKindsKept(job: TableJob): Promise<TableJob> {
  const { plan, previous, full } = job;
  const { source } = job.run;
  if (!keepsKinds(job) || full || source.connector.redescribe === undefined) return job;
  const was = new Map(previous?.reading?.columns.map(({ name, type }) => [folded(name), type]));
  const text = plan.info.reading?.columns.find(
    ({ name, type, given }) => given !== true && isText(type) && !isText(was.get(folded(name)) ?? "VARCHAR"),
  );
  return text === undefined ? job : describeAgain(job, `column ${text.name} would become text`);
}

/** Whether values are rejected instead of turning their column into text. */
function keepsKinds({ plan, nulled }: TableJob): boolean {
  return (plan.quarantine || nulled !== undefined) && plan.schemaPolicy === "evolve";
}

const isText = (type: string) => type === "VARCHAR" || type === "JSON";

async function describeAgain(job: TableJob, reason: string): Promise<TableJob> {
  const { plan, original, signal } = job;
  const { source, services } = job.run;
  services.log.info("describing the table again from all of its values", { table: plan.name, reason });
  const options = keepsKinds(job) ? { signal, keepKinds: true } : { signal };
  const info = await source.connector.redescribe!(plan.info, options);
  const next = {
    ...job,
    plan: { ...plan, info },
    original: { ...original, info },
    isRedescribed: true,
  } as const;
  checkPlan(next.plan);
  return next;
}
