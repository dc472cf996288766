import type { CaseProgress } from "../../lib/testing/mod.ts";
import { countText } from "../terminal/figures.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Shows which case of a contract runs: one line that is drawn over on a terminal, a line now and then elsewhere. */
export interface CaseStatus {
  update(progress: CaseProgress): void;
  /** Takes the line away, so that something can be printed. */
  clear(): void;
}

/** How often a line is printed of a case that is still running. */
const LINE_INTERVAL_MS = 5000;
const DRAW_INTERVAL_MS = 100;

/** Opens the display that suits where stderr goes. */
export function openCaseStatus(terminal: Terminal): CaseStatus {
  let current = "";
  let changedAtMs = 0;
  return {
    update(progress) {
      const isNew = progress.case !== current;
      current = progress.case;
      const nowMs = performance.now();
      if (terminal.interactive) {
        if (!isNew && nowMs - changedAtMs < DRAW_INTERVAL_MS) return;
        process.stderr.write(`\r\x1b[2K${textOf(progress).slice(0, (process.stderr.columns ?? 80) - 1)}`);
      } else {
        if (!isNew && nowMs - changedAtMs < LINE_INTERVAL_MS) return;
        if (!isNew) terminal.info(textOf(progress));
      }
      changedAtMs = nowMs;
    },
    clear() {
      if (terminal.interactive) process.stderr.write("\r\x1b[2K");
    },
  };
}

function textOf({ case: name, table, rows = 0 }: CaseProgress): string {
  return table === undefined ? `… ${name}` : `… ${name}: ${table}, ${countText(rows)} rows`;
}
