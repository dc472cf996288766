import { isAgnesError } from "../../base/mod.ts";
import type { ScheduledJob } from "../../sync/mod.ts";
import type { ServedWorkspace } from "../workspace.ts";

/** Refreshes the metadata of remote tables at its interval. */
export function metadataJob(metadata: ServedWorkspace["metadata"]): ScheduledJob {
  /** When the next refresh may be due, because the state of many tables takes time to read. */
  let nextMs: number | null = null;
  return {
    name: "the refresh of metadata",
    async run(now, signal) {
      const nowMs = now.getTime();
      if (nextMs !== null && nowMs < nextMs) return;
      const { lastRun, intervalSeconds, tables } = await metadata.status();
      const intervalMs = intervalSeconds * 1000;
      const startedMs = lastRun === null ? null : Date.parse(lastRun.startedAt);
      // A later time is that of a clock which was set back.
      const isRecent = startedMs !== null && startedMs <= nowMs && startedMs + intervalMs > nowMs;
      nextMs = isRecent ? startedMs + intervalMs : nowMs + intervalMs;
      if (isRecent || !tables.some(({ canRefresh }) => canRefresh)) return;
      try {
        await metadata.refresh({ signal });
      } catch (error) {
        if (!isAgnesError(error, "already_running")) throw error;
      }
    },
  };
}
