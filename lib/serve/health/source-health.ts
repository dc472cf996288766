import * as v from "valibot";

import type { SourceHealth } from "../../sync/mod.ts";

/** The health of a source over HTTP. */
export const sourceHealthBody = v.object({
  state: v.pipe(
    v.picklist(["ok", "failed", "unknown"]),
    v.description(
      "failed: its scheduled syncs wait until a check succeeds; unknown: never checked, or its plugin has no health check",
    ),
  ),
  since: v.pipe(
    v.nullable(v.string()),
    v.description(
      "When it entered its state; null: never checked, or the caller may access some tables only",
    ),
  ),
  checked_at: v.pipe(v.nullable(v.string()), v.description("The last check; null: as `since`")),
  code: v.pipe(v.nullable(v.string()), v.description("The code of the failure")),
  reason: v.nullable(v.string()),
});

/** The caller of a response. */
interface HealthCaller {
  readonly isAdmin: boolean;
  readonly access: ReadonlySet<string> | null;
}

/** The health of a source as JSON. Its reason is for administrators, and its times may be those of runs of other tables. */
export function storedHealth(health: SourceHealth, { isAdmin, access }: HealthCaller) {
  const { state, since, checkedAt, code, reason } = health;
  const timeOf = (time: Date | null) => (access === null ? (time?.toISOString() ?? null) : null);
  return {
    state,
    since: timeOf(since),
    checked_at: timeOf(checkedAt),
    code,
    reason: isAdmin ? reason : null,
  };
}
