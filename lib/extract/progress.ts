import type { Host } from "../base/mod.ts";
import type { JobProgress } from "./job/job.ts";
import type { TablePlan } from "./job/plan.ts";
import type { ExtractProgress } from "./stats.ts";
import type { PublishedTable } from "./format/extract-state.ts";

/** Reports the progress of one table at a limited rate. */
export interface TableProgress extends JobProgress {
  readonly finish: (phase: "done" | "failed", table: PublishedTable | undefined) => void;
}

const REPORT_EVERY_MS = 100;

/** Creates a progress report for a table that calls `onProgress`. */
export function createProgress(
  host: Pick<Host, "monotonicMs">,
  plan: TablePlan,
  onProgress: ((progress: ExtractProgress) => void) | undefined,
): TableProgress {
  const startedMs = host.monotonicMs();
  let { estimatedRows: totalRows, estimatedBytes: totalBytes } = plan.info;
  let phase: ExtractProgress["phase"] = "reading";
  let sourcePhase: string | undefined;
  let window: ExtractProgress["window"];
  let rows = 0;
  /** Totals of earlier windows; the figures of a window are added to them. */
  let before = { rows: 0, bytes: 0 };
  let sizeBytes = 0;
  let bytesRead = 0;
  let reportedMs = Number.NEGATIVE_INFINITY;
  const report = (now: number) => {
    reportedMs = now;
    const elapsedMs = now - startedMs;
    onProgress?.({
      table: plan.name,
      phase,
      rows,
      sizeBytes,
      rowsPerSecond: elapsedMs > 0 ? (rows / elapsedMs) * 1000 : 0,
      elapsedMs: Math.round(elapsedMs),
      ...(sourcePhase === undefined ? {} : { sourcePhase }),
      ...(window === undefined ? {} : { window }),
      ...(totalRows === undefined ? {} : { totalRows }),
      ...(bytesRead === 0 ? {} : { bytesRead }),
      ...(totalBytes === undefined || totalBytes < bytesRead ? {} : { totalBytes }),
    });
  };
  const reportIfDue = () => {
    const now = host.monotonicMs();
    if (now - reportedMs >= REPORT_EVERY_MS) report(now);
  };
  return {
    read: (read, written) => {
      rows = Math.max(rows, before.rows + read);
      sizeBytes = Math.max(sizeBytes, written);
      reportIfDue();
    },
    readBytes: (bytes) => {
      bytesRead += bytes;
      reportIfDue();
    },
    report: (progress) => {
      const isNew = progress.phase !== undefined && progress.phase !== sourcePhase;
      sourcePhase = progress.phase ?? sourcePhase;
      totalRows = figureOf(progress.totalRows, before.rows) ?? totalRows;
      totalBytes = figureOf(progress.totalBytes, before.bytes) ?? totalBytes;
      if (isNew) report(host.monotonicMs());
      else reportIfDue();
    },
    phase: (next) => {
      phase = next;
      sourcePhase = undefined;
      report(host.monotonicMs());
    },
    window: (left) => {
      const number = (window?.number ?? 0) + 1;
      window = { number, total: number + left - 1 };
      before = { rows, bytes: bytesRead };
    },
    finish: (next, table) => {
      phase = next;
      sourcePhase = undefined;
      sizeBytes = table?.sizeBytes ?? sizeBytes;
      report(host.monotonicMs());
    },
  };
}

/** The figure if it is plausible. An invalid one does not fail the read. */
function figureOf(value: number | undefined, before: number): number | undefined {
  return value !== undefined && Number.isFinite(value) && value >= 0 ? before + value : undefined;
}
