import type { MultiBar, SingleBar } from "cli-progress";

import type { ExtractProgress } from "../../lib/extract/mod.ts";
import type { Cli } from "./cli.ts";
import { countText, durationText, sizeText } from "./figures.ts";

/** Shows how far tables are: a bar for each on a terminal, a line now and then elsewhere. */
export interface ProgressDisplay {
  update(id: string, progress: ExtractProgress): void;
  /** Takes the bars away. */
  stop(): void;
}

/** Opens the display that suits where stderr goes. */
export async function openProgress(cli: Cli): Promise<ProgressDisplay> {
  if (cli.quiet) return { update: () => {}, stop: () => {} };
  return cli.interactive ? drawBars(cli) : printLines(cli);
}

/** How often a table that is still being read says so in a log file. */
const LINE_INTERVAL_MS = 5000;

function printLines(cli: Cli): ProgressDisplay {
  const saidAtMs = new Map<string, number>();
  return {
    update(id, progress) {
      if (progress.phase === "done" || progress.phase === "failed") return;
      if (progress.elapsedMs - (saidAtMs.get(id) ?? 0) < LINE_INTERVAL_MS) return;
      saidAtMs.set(id, progress.elapsedMs);
      cli.say(`${id}  ${figures(progress)} so far`);
    },
    stop: () => {},
  };
}

async function drawBars(cli: Cli): Promise<ProgressDisplay> {
  const { MultiBar } = await import("cli-progress");
  const bars = new Map<string, SingleBar>();
  const multi: MultiBar = new MultiBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    // Ctrl-C is ours: it stops the run first.
    gracefulExit: false,
    format: (_options, params, payload: { id: string; progress: ExtractProgress }) =>
      barLine(payload.id, payload.progress, params.progress),
  });
  const hide = () => multi.stop();
  cli.signal.addEventListener("abort", hide, { once: true });
  return {
    update(id, progress) {
      if (cli.signal.aborted) return;
      const known = bars.get(id);
      if (progress.phase === "done" || progress.phase === "failed") {
        if (known !== undefined) multi.remove(known);
        bars.delete(id);
        return;
      }
      const bar = known ?? multi.create(progress.totalRows ?? 0, 0, { id, progress });
      bars.set(id, bar);
      bar.setTotal(progress.totalRows ?? 0);
      bar.update(progress.rows, { id, progress });
    },
    stop() {
      cli.signal.removeEventListener("abort", hide);
      multi.stop();
    },
  };
}

const BAR_WIDTH = 24;

function barLine(id: string, progress: ExtractProgress, share: number): string {
  const filled = Math.round(Math.min(1, share) * BAR_WIDTH);
  const bar =
    progress.totalRows === undefined
      ? "·".repeat(BAR_WIDTH)
      : "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
  return `${bar}  ${id}  ${progress.phase === "merging" ? "merging, " : ""}${figures(progress)}`;
}

function figures(progress: ExtractProgress): string {
  const { rows, totalRows, sizeBytes, rowsPerSecond, elapsedMs } = progress;
  return [
    `${countText(rows)}${totalRows === undefined ? "" : ` of ${countText(totalRows)}`} rows`,
    ...(sizeBytes > 0 ? [sizeText(sizeBytes)] : []),
    durationText(elapsedMs),
    ...(rowsPerSecond > 0 ? [`${countText(Math.round(rowsPerSecond))} rows/s`] : []),
  ].join(", ");
}
