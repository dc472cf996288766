const SENT_REASON =
  "the last extract of its source could not be published; an administrator finds the reason with `agnes doctor`";

/**
 * Why a table is in an earlier state, as responses have it. The reason itself may name files and other tables of its source,
 * which the caller may not access.
 */
export function sentStaleReason(reason: string | null): string | null {
  return reason === null ? null : SENT_REASON;
}
