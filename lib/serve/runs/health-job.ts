import type { ScheduledJob } from "../../sync/mod.ts";
import type { ServedWorkspace } from "../workspace.ts";

const INTERVAL_MS = 5 * 60_000;

/** Checks the health of all sources at the start, and every five minutes. */
export function healthJob(health: Pick<ServedWorkspace["health"], "check">): ScheduledJob {
  let lastMs: number | null = null;
  return {
    name: "the health check of the sources",
    async run(now, signal) {
      const nowMs = now.getTime();
      // A later time is that of a clock which was set back.
      if (lastMs !== null && lastMs <= nowMs && nowMs < lastMs + INTERVAL_MS) return;
      lastMs = nowMs;
      await health.check(signal);
    },
  };
}
