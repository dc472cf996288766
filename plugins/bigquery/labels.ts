import { createHash } from "node:crypto";

const LENGTH_MAX = 63;
/** The labels that a job may have. */
const LABELS_MAX = 64;
/** The label that each job has. */
export const WORKLOAD_LABEL = "workload_type";
export const WORKLOAD = "agnes";
/** The label of the user of a job. */
export const USER_LABEL = "agnes_user";

/**
 * Returns the labels of a job as BigQuery accepts them: lower case, at most 63 characters, at most 64 labels. Further
 * labels, and one whose key cannot be corrected, are left out, because a label must not fail a query.
 */
export function jobLabels(
  labels: Readonly<Record<string, string>> = {},
  user?: string,
): Readonly<Record<string, string>> {
  const accepted = Object.entries(labels).flatMap(([key, value]) => {
    const name = cleaned(key).replace(/^[^\p{L}]+/u, "");
    return name === "" ? [] : [[name, cleaned(value)] as const];
  });
  const own = {
    ...(user === undefined ? {} : { [USER_LABEL]: userLabel(user) }),
    [WORKLOAD_LABEL]: WORKLOAD,
  };
  const distinct = [...new Map(accepted)].filter(([key]) => key !== WORKLOAD_LABEL && key !== USER_LABEL);
  return { ...Object.fromEntries(distinct.slice(0, LABELS_MAX - Object.keys(own).length)), ...own };
}

/** The value of the label of a user: its name, or a hash of a name that is no label. Two users never have the same. */
export function userLabel(user: string): string {
  if (/^[a-z0-9_-]{1,50}$/.test(user)) return user;
  // Longer than a name, so that it is not that of another user.
  return createHash("sha256").update(user).digest("hex").slice(0, LENGTH_MAX);
}

function cleaned(text: string): string {
  const accepted = text.toLowerCase().replaceAll(/[^\p{L}\p{N}_-]/gu, "_");
  return Array.from(accepted).slice(0, LENGTH_MAX).join("");
}
