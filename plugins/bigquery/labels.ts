const LENGTH_MAX = 63;
/** The label that each job has. */
export const WORKLOAD_LABEL = "workload_type";
export const WORKLOAD = "agnes";

/**
 * Returns the labels of a job as BigQuery accepts them: lower case, at most 63 characters. A label whose key cannot be
 * corrected is left out, because a label must not fail a query.
 */
export function jobLabels(labels: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const accepted = Object.entries(labels).flatMap(([key, value]) => {
    const name = cleaned(key).replace(/^[^\p{L}]+/u, "");
    return name === "" ? [] : [[name, cleaned(value)] as const];
  });
  return { ...Object.fromEntries(accepted), [WORKLOAD_LABEL]: WORKLOAD };
}

function cleaned(text: string): string {
  const accepted = text.toLowerCase().replaceAll(/[^\p{L}\p{N}_-]/gu, "_");
  return Array.from(accepted).slice(0, LENGTH_MAX).join("");
}
