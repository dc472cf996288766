import { redactValue } from "../../base/mod.ts";
import type { SourceJob } from "../../kit/mod.ts";
import { checkPrice, fieldReader } from "./field-reader.ts";

const FIELDS = ["id", "status", "processedBytes", "billedBytes", "isCached", "slotMs", "price"];
const STATUSES: readonly unknown[] = ["running", "done", "failed", "cancelled"];

/** Returns the options of a read or query in which reported jobs are checked and have no secrets. */
export function withCheckedJobs<O extends { readonly onJob?: (job: SourceJob) => void }>(
  options: O,
  secrets: ReadonlySet<string>,
): O {
  const { onJob } = options;
  if (onJob === undefined) return options;
  return { ...options, onJob: (job: SourceJob) => onJob(checkedJob(job, secrets)) };
}

/** @throws TypeError naming the field, without secrets */
function checkedJob(job: SourceJob, secrets: ReadonlySet<string>): SourceJob {
  const read = fieldReader("the job", secrets, "reported");
  const { id, status, processedBytes, billedBytes, isCached, slotMs, price } = read.fields(job, "", FIELDS);
  if (typeof id !== "string" || id === "") throw read.problem("id", id, "is not the id of a job");
  if (!STATUSES.includes(status)) throw read.problem("status", status, `is not ${STATUSES.join(", ")}`);
  read.figure(processedBytes, "processedBytes", true);
  read.figure(billedBytes, "billedBytes", true);
  read.figure(slotMs, "slotMs", false);
  if (isCached !== undefined && typeof isCached !== "boolean")
    throw read.problem("isCached", isCached, "is not a boolean");
  checkPrice(price, read);
  // A copy, because the connector may change its own.
  return redactValue({ ...job, ...(job.price === undefined ? {} : { price: { ...job.price } }) }, secrets);
}
