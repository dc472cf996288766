import { AgnesError, throwIfAborted } from "../../base/mod.ts";
import type { SourceReport } from "../report.ts";
import type { SyncServices } from "../services.ts";
import type { SourceRequest } from "../source.ts";
import type { SyncProcessSettings } from "./settings.ts";
import { secretsOf, stalledMsOf } from "./source-limits.ts";
import { runInProcess, type ProcessEnd } from "./task-process.ts";

/** A run of a source in a process of its own. */
export interface SourceProcessRequest extends SourceRequest {
  /** The author of changes to the registry. */
  readonly actor: string;
}

/**
 * Runs one source as `syncSource` does, in a process of its own; see `runInProcess`. An end of the process without a report is
 * a failure of the source.
 *
 * @throws `aborted`, and errors that `syncSource` throws
 */
export async function syncInProcess(
  services: SyncServices,
  settings: SyncProcessSettings,
  { signal, registration, onProgress, ...request }: SourceProcessRequest,
): Promise<SourceReport> {
  const { source, runId, only, full, actor } = request;
  const what = `the run of source ${source}`;
  throwIfAborted(signal, what);
  let report: SourceReport | null = null;
  const thrown: AgnesError[] = [];
  const end = await runInProcess(services, settings, {
    task: { kind: "source", source, runId, only, full, actor },
    subject: `source ${source}`,
    names: new Set([source]),
    secrets: secretsOf(services, [source]),
    memoryMb: settings.memoryMb,
    stalledMs: await stalledMsOf(services, source),
    timeoutMs: services.workspace.config.sources[source]!.timeoutMs ?? null,
    signal,
    receive(message, send) {
      if (message.type === "progress") onProgress?.(message.progress);
      if (message.type === "turn") {
        const turn = registration?.begin(signal ?? new AbortController().signal);
        void Promise.resolve(turn).then(() => send({ type: "turn" }));
      }
      if (message.type === "registered") registration?.end();
      if (message.type === "report") report = message.report;
      if (message.type === "failed") thrown.push(message.error);
    },
  });
  registration?.end();
  if (report !== null) return report;
  throwIfAborted(signal, what);
  if (end.cause === "ended" && thrown[0] !== undefined) throw thrown[0];
  return { source, status: "failed", error: errorOf(source, end), registered: [], notes: [] };
}

function errorOf(source: string, end: ProcessEnd): AgnesError {
  switch (end.cause) {
    case "memory":
      return new AgnesError("sync_memory_exceeded", { source, limitMb: end.limitMb });
    case "stalled":
      return new AgnesError("sync_stalled", { source, stalledMs: end.stalledMs });
    case "timeout": {
      const { timeoutMs } = end;
      return new AgnesError("timed_out", { what: `the run of source ${source}`, timeoutMs });
    }
    case "ended":
      return new AgnesError("sync_process_ended", { source, reason: end.reason });
  }
}
