import { AgnesError } from "../../base/mod.ts";
import type { ProfileProcess } from "../../profile/mod.ts";
import type { SourceServices } from "../../sources/mod.ts";
import type { SyncProcessSettings } from "./settings.ts";
import { runInProcess, type ProcessEnd } from "./task-process.ts";

/** Computes the profiles of tables in a process of its own; see `ProfileUpdates`. It has no connectors. */
export function profileProcess(services: SourceServices, settings: SyncProcessSettings): ProfileProcess {
  return async ({ tables, timeoutMs, signal, onBegin, onOutcome }) => {
    let isDone = false;
    let failed: AgnesError | null = null;
    const end = await runInProcess(services, settings, {
      task: { kind: "profiles", tables, timeoutMs },
      subject: "profiles",
      names: new Set(tables),
      secrets: new Set(),
      memoryMb: settings.profilesMb,
      // DuckDB computes one table without a message, so only the time limit shows that it does not get on.
      stalledMs: null,
      timeoutMs,
      signal,
      receive(message) {
        if (message.type === "begun") onBegin(message.name);
        if (message.type === "profiled") onOutcome(message.outcome);
        if (message.type === "done") isDone = true;
        if (message.type === "failed") failed = message.error;
      },
    });
    return isDone ? null : (table) => errorOf(table, end, failed);
  };
}

function errorOf(table: string, end: ProcessEnd, failed: AgnesError | null): AgnesError {
  switch (end.cause) {
    case "memory":
      return new AgnesError("profile_memory_exceeded", { table, limitMb: end.limitMb });
    case "stalled":
      return timedOut(table, end.stalledMs);
    case "timeout":
      return timedOut(table, end.timeoutMs);
    case "ended":
      return failed ?? new AgnesError("profile_process_ended", { table, reason: end.reason });
  }
}

function timedOut(table: string, timeoutMs: number): AgnesError {
  return new AgnesError("timed_out", { what: `profiling the table ${table}`, timeoutMs });
}
