import type { MultiBar, SingleBar } from "cli-progress";

import { printable } from "../../lib/base/mod.ts";
import type { ExtractProgress } from "../../lib/extract/mod.ts";
import { countText, durationText, sizeText } from "./figures.ts";
import type { Terminal } from "./terminal.ts";

/** Shows the progress of tables: a bar each on a terminal, otherwise a line from time to time. */
export interface ProgressDisplay {
  update(id: string, progress: ExtractProgress): void;
  /** Prints a line above the bars. */
  info(text: string): void;
  /** Removes the bars. */
  stop(): void;
}

/** Opens the display for the kind of stderr. */
export async function openProgress(terminal: Terminal, signal: AbortSignal): Promise<ProgressDisplay> {
  if (terminal.quiet) return { update: () => {}, info: () => {}, stop: () => {} };
  return terminal.interactive ? drawBars(signal) : printLines(terminal);
}

/** The interval between lines about a table that is being read. */
const LINE_INTERVAL_MS = 5000;

function printLines(terminal: Terminal): ProgressDisplay {
  const printedAtMs = new Map<string, number>();
  return {
    update(id, progress) {
      if (progress.phase === "done" || progress.phase === "failed") return;
      if (progress.elapsedMs - (printedAtMs.get(id) ?? 0) < LINE_INTERVAL_MS) return;
      printedAtMs.set(id, progress.elapsedMs);
      terminal.info(`${id}  ${figures(progress)} so far`);
    },
    info: (text) => terminal.info(text),
    stop: () => {},
  };
}

async function drawBars(signal: AbortSignal): Promise<ProgressDisplay> {
  const { MultiBar } = await import("cli-progress");
  const bars = new Map<string, SingleBar>();
  const multi: MultiBar = new MultiBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C must stop the run, not the bars.
    gracefulExit: false,
    format: (_options, params, payload: { id: string; progress: ExtractProgress }) =>
      barLine(payload.id, payload.progress, params.progress),
  });
  const hide = () => multi.stop();
  signal.addEventListener("abort", hide, { once: true });
  return {
    update(id, progress) {
      if (signal.aborted) return;
      const known = bars.get(id);
      if (progress.phase === "done" || progress.phase === "failed") {
        if (known !== undefined) multi.remove(known);
        bars.delete(id);
        return;
      }
      const { done, total } = shareOf(progress);
      const bar = known ?? multi.create(total, 0, { id, progress });
      bars.set(id, bar);
      bar.setTotal(total);
      bar.update(done, { id, progress });
    },
    info: (text) => multi.log(`${printable(text)}\n`),
    stop() {
      signal.removeEventListener("abort", hide);
      multi.stop();
    },
  };
}

const BAR_WIDTH = 24;

/** The progress and its total: rows if the source reports their number, otherwise bytes. A total of 0 is unknown. */
export function shareOf(progress: ExtractProgress): { readonly done: number; readonly total: number } {
  const { rows, totalRows, bytesRead = 0, totalBytes } = progress;
  return totalRows === undefined
    ? { done: bytesRead, total: totalBytes ?? 0 }
    : { done: rows, total: totalRows };
}

/** A bar with its figures. */
export function barLine(id: string, progress: ExtractProgress, share: number): string {
  const filled = Math.round(Math.min(1, share) * BAR_WIDTH);
  const bar =
    shareOf(progress).total === 0
      ? "·".repeat(BAR_WIDTH)
      : "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return `${bar}  ${id}  ${figures(progress)}`;
}

const PHASE_LENGTH_MAX = 60;

/** The current phase, unless it is reading: `exporting`, `downloading 3 of 12`, `merging`. */
function phaseText({ phase, sourcePhase }: ExtractProgress): string | undefined {
  const text =
    phase === "merging"
      ? phase
      : printable(sourcePhase ?? "")
          .replace(/\s+/g, " ")
          .trim();
  if (text === "") return undefined;
  return text.length > PHASE_LENGTH_MAX ? `${text.slice(0, PHASE_LENGTH_MAX - 1)}…` : text;
}

function figures(progress: ExtractProgress): string {
  const { rows, totalRows, bytesRead, totalBytes, sizeBytes, rowsPerSecond, elapsedMs } = progress;
  const phase = phaseText(progress);
  const { window } = progress;
  const rowsText = `${countText(rows)}${totalRows === undefined ? "" : ` of ${countText(totalRows)}`} ${(totalRows ?? rows) === 1 ? "row" : "rows"}`;
  return [
    ...(window === undefined ? [] : [`window ${countText(window.number)} of ${countText(window.total)}`]),
    ...(phase === undefined ? [] : [phase]),
    // An export has no rows for a long time, and shows its phase instead.
    ...(rows === 0 && totalRows === undefined && phase !== undefined ? [] : [rowsText]),
    ...(bytesRead === undefined
      ? []
      : [`${sizeText(bytesRead)}${totalBytes === undefined ? "" : ` of ${sizeText(totalBytes)}`} read`]),
    ...(sizeBytes > 0 ? [`${sizeText(sizeBytes)} written`] : []),
    durationText(elapsedMs),
    ...(rowsPerSecond > 0 ? [`${countText(Math.round(rowsPerSecond))} rows/s`] : []),
  ].join(", ");
}
