const LENGTH_MAX = 63;
/** The labels of a job that BigQuery accepts, besides that of Agnes. */
const LABELS_MAX = 63;
/** The label that each job has. */
export const WORKLOAD_LABEL = "workload_type";
export const WORKLOAD = "agnes";

/**
 * Returns the labels of a job as BigQuery accepts them: lower case, at most 63 characters, at most 64 labels. Further
 * labels, and one whose key cannot be corrected, are left out, because a label must not fail a query.
 */
export function jobLabels(labels: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const accepted = Object.entries(labels).flatMap(([key, value]) => {
    const name = cleaned(key).replace(/^[^\p{L}]+/u, "");
    return name === "" ? [] : [[name, cleaned(value)] as const];
  });
  const distinct = [...new Map(accepted)].filter(([key]) => key !== WORKLOAD_LABEL).slice(0, LABELS_MAX);
  return { ...Object.fromEntries(distinct), [WORKLOAD_LABEL]: WORKLOAD };
}

function cleaned(text: string): string {
  const accepted = text.toLowerCase().replaceAll(/[^\p{L}\p{N}_-]/gu, "_");
  return Array.from(accepted).slice(0, LENGTH_MAX).join("");
}
