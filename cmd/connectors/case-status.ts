import { printable } from "../../lib/base/mod.ts";
import type { CaseProgress } from "../../lib/testing/mod.ts";
import { countText } from "../terminal/figures.ts";
import { redirectStderr } from "../terminal/stderr.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Shows the running case of a contract: one updated line on a terminal, otherwise a line from time to time. */
export interface CaseStatus {
  update(progress: CaseProgress): void;
  /** Clears the line before other output. */
  clear(): void;
}

/** The interval between lines about a running case. */
const LINE_INTERVAL_MS = 5000;
const DRAW_INTERVAL_MS = 100;
const CLEAR_LINE = "\r\u001b[2K";

/** Opens the display for the kind of stderr. */
export function openCaseStatus(terminal: Terminal): CaseStatus {
  let current = "";
  let changedAtMs = 0;
  let endRedirection = () => {};
  const drawLine = (text: string) => {
    process.stderr.write(`${CLEAR_LINE}${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
    endRedirection();
    // A message replaces the line, which the next update draws below it.
    endRedirection = redirectStderr((message) => void process.stderr.write(`${CLEAR_LINE}${message}`));
  };
  return {
    update(progress) {
      const isNew = progress.case !== current;
      current = progress.case;
      const nowMs = performance.now();
      if (terminal.interactive) {
        if (!isNew && nowMs - changedAtMs < DRAW_INTERVAL_MS) return;
        drawLine(textOf(progress));
      } else {
        if (!isNew && nowMs - changedAtMs < LINE_INTERVAL_MS) return;
        if (!isNew) terminal.info(textOf(progress));
      }
      changedAtMs = nowMs;
    },
    clear() {
      endRedirection();
      if (terminal.interactive) process.stderr.write(CLEAR_LINE);
    },
  };
}

function textOf({ case: name, table, rows = 0 }: CaseProgress): string {
  return printable(table === undefined ? `… ${name}` : `… ${name}: ${table}, ${countText(rows)} rows`);
}
