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
  since: v.pipe(v.nullable(v.string()), v.description("When it entered its state; null: never checked")),
  checked_at: v.pipe(v.nullable(v.string()), v.description("The last check; null: never checked")),
  code: v.pipe(v.nullable(v.string()), v.description("The code of the failure")),
  reason: v.nullable(v.string()),
});

/** The health of a source as JSON. Its reason is for administrators. */
export function storedHealth({ state, since, checkedAt, code, reason }: SourceHealth, isAdmin: boolean) {
  return {
    state,
    since: since?.toISOString() ?? null,
    checked_at: checkedAt?.toISOString() ?? null,
    code,
    reason: isAdmin ? reason : null,
  };
}
