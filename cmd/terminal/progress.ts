import { clearScreenDown } from "node:readline";

import type { MultiBar, SingleBar } from "cli-progress";

import { printable } from "../../lib/base/mod.ts";
import type { ExtractProgress } from "../../lib/extract/mod.ts";
import { countText, durationText, sizeText } from "./figures.ts";
import { redirectStderr } from "./stderr.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Shows the progress of tables: a bar each on a terminal, otherwise a line from time to time. Messages of the terminal are
 * printed above the bars.
 */
export interface ProgressDisplay {
  update(id: string, progress: ExtractProgress): void;
  /** Removes the bars. */
  stop(): void;
}

/** Opens the display for the kind of stderr. */
export async function openProgress(terminal: Terminal, signal: AbortSignal): Promise<ProgressDisplay> {
  if (terminal.quiet) return { update: () => {}, stop: () => {} };
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
    stop: () => {},
  };
}

async function drawBars(signal: AbortSignal): Promise<ProgressDisplay> {
  const { MultiBar } = await import("cli-progress");
  const { stderr } = process;
  const bars = new Map<string, SingleBar>();
  const multi: MultiBar = new MultiBar({
    stream: stderr,
    // A message moves the bars down, so also unchanged ones are drawn again.
    forceRedraw: true,
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C must stop the run, not the bars.
    gracefulExit: false,
    format: (_options, params, payload: { id: string; progress: ExtractProgress }) =>
      barLine(payload.id, payload.progress, params.progress),
  });
  const printAbove = (text: string) => {
    if (!multi.isActive) return void stderr.write(text);
    // The cursor is at the start of the bars then.
    multi.once("redraw-pre", () => {
      clearScreenDown(stderr);
      stderr.write(`${WRAP_ON}${text.endsWith("\n") ? text : `${text}\n`}${WRAP_OFF}`);
    });
    multi.update();
  };
  const endRedirection = redirectStderr(printAbove);
  const stop = () => {
    signal.removeEventListener("abort", stop);
    endRedirection();
    multi.stop();
  };
  signal.addEventListener("abort", stop);
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
    stop,
  };
}

/** Bars are cut at the width of the terminal; messages are not. */
const WRAP_ON = "\u001b[?7h";
const WRAP_OFF = "\u001b[?7l";

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
  return `${bar}  ${printable(id)}  ${figures(progress)}`;
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
