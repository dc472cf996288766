import type { Agnes } from "../../lib/agnes.ts";
import { isAgnesError, snakeCase } from "../../lib/base/mod.ts";
import { describeChange, type TableStats } from "../../lib/extract/mod.ts";
import type { SyncReport } from "../../lib/sync/mod.ts";
import type { Cli } from "../cli/cli.ts";
import type { ExitStatus } from "../cli/exit-status.ts";
import { countText, durationText, plural, sizeText } from "../terminal/figures.ts";
import { eventsLine } from "./events-line.ts";
import { leftOutLines } from "./left-out.ts";
import { jobsText } from "../terminal/jobs-text.ts";
import { printRows } from "../terminal/print-rows.ts";
import { partStatus } from "../cli/exit-status.ts";
import { openProgress } from "../terminal/progress.ts";
import { conflictRemedy, conflictText } from "./remedies.ts";

/** The request of a sync: sources and tables (`crm`, `crm.orders`; none: all), a full read, or only due tables. */
export interface SyncRequest {
  readonly only: readonly string[];
  readonly full: boolean;
  readonly due?: boolean;
}

/** Syncs, shows progress, prints the result of each table, and returns the exit status. */
export async function runSync(cli: Cli, agnes: Agnes, request: SyncRequest): Promise<ExitStatus> {
  const start = performance.now();
  const progress = await openProgress(cli, cli.signal);
  const isSeveral = Object.keys(agnes.workspace.config.sources).length > 1 && request.only.length !== 1;
  let report: SyncReport;
  try {
    report = await agnes.sync({
      ...(request.only.length === 0 ? {} : { only: request.only }),
      full: request.full,
      due: request.due ?? false,
      trigger: "cli",
      signal: cli.signal,
      onProgress: (event) => progress.update(`${event.source}.${event.table}`, event),
      // With several sources, some end long before the others and can already be queried.
      onSource: (source) => void (isSeveral && cli.info(sourceLine(source))),
    });
  } finally {
    progress.stop();
  }
  if (cli.json) await cli.printJson(snakeCase(report));
  else await printReport(cli, report);
  reportProblems(cli, report);
  if (request.due === true && report.sources.length === 0) {
    // Otherwise a note has the reason.
    if (report.notes.length === 0) cli.info("No table is due.");
  } else if (!cli.json) {
    if (request.due !== true) await reportPaused(cli, agnes, request, report);
    reportSummary(cli, report, performance.now() - start);
  }
  return statusOf(report);
}

/** Reports the tables that only a sync by name reads. */
async function reportPaused(
  cli: Cli,
  agnes: Agnes,
  { only }: SyncRequest,
  { sources }: SyncReport,
): Promise<void> {
  const whole = new Set(
    sources.flatMap(({ source }) => (only.length === 0 || only.includes(source) ? source : [])),
  );
  const left = (await (await agnes.tables()).list()).filter(
    ({ source, syncPaused }) => syncPaused && whole.has(source),
  );
  const [first] = left;
  if (first === undefined) return;
  const were = left.length === 1 ? "was" : "were";
  cli.info(`${plural(left.length, "paused table")} ${were} left out, such as ${first.id}`);
}

function statusOf({ status, sources }: SyncReport): ExitStatus {
  if (status !== "failed") return status === "complete" ? 0 : 3;
  const errors = sources.flatMap(({ error, stats }) => [
    ...(error === undefined ? [] : [error]),
    ...(stats?.errors ?? []).map((failed) => failed.error),
  ]);
  return partStatus(0, errors);
}

/** The result of one source as a line. */
function sourceLine({ source, status, stats }: SyncReport["sources"][number]): string {
  if (stats === undefined) return `${source}: ${status}`;
  const { tablesExtracted, tablesSkipped, tablesFailed } = stats;
  const failed = tablesFailed > 0 ? `, ${countText(tablesFailed)} failed` : "";
  return `${source}: ${plural(tablesExtracted, "table")} updated, ${countText(tablesSkipped)} unchanged${failed}`;
}

async function printReport(cli: Cli, report: SyncReport): Promise<void> {
  const rows = report.sources.flatMap(({ source, stats }) =>
    (stats?.tables ?? []).map((table) => [
      `${source}.${table.name}`,
      statusText(table),
      countText(table.rows),
      countText(table.rowsRead),
      sizeText(table.sizeBytes),
      durationText(table.elapsedMs),
    ]),
  );
  if (rows.length === 0) return;
  await printRows(
    cli,
    [
      "table",
      "result",
      { name: "rows", align: "right" },
      { name: "read", align: "right", leftOut: 1 },
      { name: "size", align: "right", leftOut: 2 },
      { name: "time", align: "right", leftOut: 3 },
    ],
    rows,
  );
}

function statusText(table: TableStats): string {
  return table.status === "extracted" ? "updated" : table.status;
}

/** Reports warnings and the jobs of sources, then errors. Errors are printed even with `--quiet`. */
function reportProblems(cli: Cli, { sources, notes, analytics, profiles }: SyncReport): void {
  for (const note of notes) cli.warn(note);
  for (const { source, stats, ...report } of sources) {
    for (const note of report.notes) cli.warn(`${source}: ${note}`);
    for (const table of stats?.tables ?? []) {
      const id = `${source}.${table.name}`;
      for (const change of table.schemaChanges) cli.warn(`${id}: ${describeChange(change)}`);
      for (const note of table.notes) cli.warn(`${id}: ${note}`);
      if (!cli.json && table.jobs !== undefined) cli.info(`${id}: ${jobsText(table.jobs)}`);
    }
  }
  if (!cli.json) {
    for (const { source, events } of sources) {
      const line = events === undefined ? null : eventsLine(events);
      if (line !== null) cli.info(`${source}: ${line}`);
    }
  }
  for (const line of leftOutLines(analytics)) cli.warn(line);
  for (const conflict of analytics.conflicts) {
    cli.warn(`${conflict.loser} ${conflictText(conflict)}: ${conflictRemedy(conflict)}`);
  }
  for (const { table, status, reason } of profiles)
    if (status === "failed") cli.warn(`${table}: its profile was not computed: ${reason}`);
  for (const { source, error, stats } of sources) {
    if (error !== undefined) cli.error(error, source);
    for (const failed of stats?.errors ?? []) cli.error(failed.error, `${source}.${failed.table}`);
  }
}

function reportSummary(cli: Cli, report: SyncReport, elapsedMs: number): void {
  const stats = report.sources.flatMap((source) => source.stats ?? []);
  const sum = (count: (one: (typeof stats)[number]) => number) =>
    stats.reduce((total, one) => total + count(one), 0);
  const failed = sum((one) => one.tablesFailed);
  const skipped = report.sources.filter(({ status }) => status === "skipped").length;
  const broken = report.sources.filter((source) => source.error !== undefined).length - skipped;
  cli.info(
    [
      `${plural(
        sum((one) => one.tablesExtracted),
        "table",
      )} updated`,
      `${countText(sum((one) => one.tablesSkipped))} unchanged`,
      ...(failed > 0 ? [`${countText(failed)} failed`] : []),
      ...(skipped > 0 ? [`${plural(skipped, "source")} skipped`] : []),
      ...(broken > 0 ? [`${plural(broken, "source")} failed`] : []),
      durationText(elapsedMs),
    ].join(", "),
  );
  const isRunning = report.sources.every(
    ({ status, error }) => status !== "failed" || isAgnesError(error, "source_running"),
  );
  if (failed + broken > 0 && !(failed === 0 && isRunning))
    cli.info("Run `agnes doctor` for the state of the workspace, then `agnes sync` again.");
}
