import { snakeCase } from "../../lib/base/mod.ts";
import type { Agnes } from "../../lib/agnes.ts";
import type { ExtractProgress } from "../../lib/extract/mod.ts";
import type { PulledTable, PullOptions, PullProgress, PullReport } from "../../lib/pull/mod.ts";
import type { Cli } from "../cli/cli.ts";
import type { ExitStatus } from "../cli/exit-status.ts";
import { countText, durationText, plural, sizeText } from "../terminal/figures.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";
import { openProgress } from "../terminal/progress.ts";

/** Pulls, shows progress, prints the tables that changed, and returns the exit status. */
export async function runPull(cli: Cli, agnes: Agnes, options: PullOptions): Promise<ExitStatus> {
  const start = performance.now();
  const progress = await openProgress(cli, cli.signal);
  const startedAtMs = new Map<string, number>();
  let report: PullReport;
  try {
    report = await agnes.pull({
      ...options,
      signal: cli.signal,
      onProgress(event) {
        const began = startedAtMs.get(event.table) ?? performance.now();
        startedAtMs.set(event.table, began);
        progress.update(event.table, progressOf(event, performance.now() - began));
      },
    });
  } finally {
    progress.stop();
  }
  if (cli.json) await cli.printJson(snakeCase(report));
  else await printReport(cli, report);
  for (const note of report.notes) cli.warn(note);
  for (const { id, error } of report.tables) if (error !== undefined) cli.error(error, id);
  if (!cli.json) reportSummary(cli, report, agnes.workspace.directory, performance.now() - start);
  return report.status === "complete" ? 0 : 1;
}

function progressOf(
  { table, phase, receivedBytes, totalBytes }: PullProgress,
  elapsedMs: number,
): ExtractProgress {
  return {
    table,
    phase: phase === "downloading" ? "reading" : phase,
    sourcePhase: "downloading",
    rows: 0,
    bytesRead: receivedBytes,
    totalBytes,
    sizeBytes: 0,
    rowsPerSecond: 0,
    elapsedMs,
  };
}

async function printReport(cli: Cli, { tables }: PullReport): Promise<void> {
  const hidden = ["unchanged", ...(cli.quiet ? ["unavailable"] : [])];
  const shown = tables.filter(({ status }) => !hidden.includes(status));
  if (shown.length === 0) return;
  await printRows(
    cli,
    [
      "table",
      "from",
      textColumn("result"),
      { name: "rows", align: "right", leftOut: 1 },
      { name: "size", align: "right", leftOut: 2 },
      { name: "downloaded", align: "right", leftOut: 3 },
    ],
    shown.map((table) => [
      table.viewName,
      table.id,
      resultText(table),
      table.rows === null ? "" : countText(table.rows),
      table.sizeBytes === null ? "" : sizeText(table.sizeBytes),
      sizeText(table.downloadedBytes),
    ]),
  );
}

function resultText({ status, reason }: PulledTable): string {
  return reason === null ? status : `${status}: ${reason}`;
}

function reportSummary(cli: Cli, report: PullReport, directory: string, elapsedMs: number): void {
  const count = (status: PulledTable["status"]) =>
    report.tables.filter((table) => table.status === status).length;
  const others = (["removed", "failed"] as const).filter((status) => count(status) > 0);
  cli.info(
    [
      `${plural(count("updated"), "table")} updated`,
      `${countText(count("unchanged"))} unchanged`,
      ...others.map((status) => `${countText(count(status))} ${status}`),
      ...(report.verifiedParts > 0 ? [`${plural(report.verifiedParts, "part")} verified`] : []),
      `${sizeText(report.downloadedBytes)} downloaded`,
      durationText(elapsedMs),
    ].join(", "),
  );
  if (count("unavailable") > 0)
    cli.info(
      `Tables that are unavailable here are read on the server: \`agnes query --server ${report.server}\`.`,
    );
  if (count("updated") > 0) cli.info(`The copy is in ${directory}. \`agnes catalog\` lists its tables.`);
}
