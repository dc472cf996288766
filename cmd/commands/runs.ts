import { AgnesError, nearest, receivedError } from "../../lib/base/mod.ts";
import { storedRun, type RunError, type RunWithProgress, type TableProgress } from "../../lib/sync/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { wholeNumber } from "../cli/strict-args.ts";
import { countText, durationText, sizeText } from "../terminal/figures.ts";
import { printRows, textColumn } from "../terminal/print-rows.ts";
import { openRuns } from "../server/open-runs.ts";
import { serverArgs } from "../server/server-args.ts";

const RUN_ID = /^[0-9a-z]{15}$/;

export default command({
  args: {
    ...serverArgs,
    source: {
      type: "positional",
      required: false,
      valueHint: "SOURCE|RUN",
      description: "A source, or the id of a run to show its tables; default: all sources",
    },
    limit: {
      type: "string",
      default: "20",
      valueHint: "N",
      description: "Maximum number of runs, newest first",
    },
  },
  examples: ["agnes runs", "agnes runs crm --limit 5", "agnes runs --json"],
  async run(cli, args) {
    const limit = wholeNumber(cli.name, "--limit", args.limit)!;
    await using runs = await openRuns(cli, args.server);
    const { source } = args;
    if (source !== undefined) {
      const sources = await runs.sources();
      if (!sources.includes(source)) {
        if (!RUN_ID.test(source)) throw neither(cli.name, source, sources);
        return await printRun(cli, await runs.get(source));
      }
    }
    const found = await runs.list({ limit, ...(source === undefined ? {} : { source }) });
    if (cli.json) return await cli.printJson({ runs: found.map(storedRun) });
    if (found.length === 0) return cli.info(runs.nothing);
    await printRows(
      cli,
      [
        "run",
        "source",
        "started",
        { name: "time", align: "right", leftOut: 2 },
        textColumn("requested by", 1),
        textColumn("status"),
        textColumn("tables"),
      ],
      found.map((run) => [
        run.id,
        run.source,
        run.startedAt,
        timeText(run),
        requesterText(run),
        statusText(run),
        problemText(run) ?? tablesText(run),
      ]),
    );
  },
});

async function printRun(cli: Cli, run: RunWithProgress): Promise<void> {
  if (cli.json) return cli.printJson(storedRun(run));
  const by = `requested by ${requesterText(run)}`;
  await cli.print(
    `${cli.style("bold", run.id)} · ${run.source} · ${statusText(run)} · ${run.startedAt} · ${by}\n`,
  );
  const right = (name: string) => ({ name, align: "right" }) as const;
  if (run.progress.length > 0)
    await printRows(
      cli,
      ["table", "phase", right("rows"), right("size"), right("done")],
      run.progress.map((table) => [
        table.table,
        table.phase,
        countText(table.rows),
        sizeText(table.sizeBytes),
        shareText(table),
      ]),
    );
  if (run.tables.length > 0)
    await printRows(
      cli,
      ["table", "result", right("rows"), right("read"), right("size"), right("time"), textColumn("changes")],
      run.tables.map((table) => [
        table.name,
        table.status === "extracted" ? "updated" : table.status,
        countText(table.rows),
        countText(table.rowsRead),
        sizeText(table.sizeBytes),
        durationText(table.elapsedMs),
        table.schemaChanges.join("; "),
      ]),
    );
  cli.info(tablesText(run));
  for (const { name, error } of [{ name: run.source, error: run.error }, ...run.tables])
    if (error !== null) cli.error(keptError(error), name);
  const { warning } = run;
  if (warning !== null)
    cli.warn(`${run.source}: ${warning.message}${warning.hint === "" ? "" : `\n  ${warning.hint}`}`);
}

/** Why a run failed, with the code; null if it did not, or only some of its tables did. */
function problemText({ error, warning, status, tables }: RunWithProgress): string | null {
  const first = status === "failed" ? tables.find((table) => table.error !== null)?.error : null;
  const shown = error ?? warning ?? first ?? null;
  return shown === null ? null : `${shown.code}: ${shown.message}`;
}

/** An error as it was printed by the run. */
function keptError({ code, message, hint }: RunError): AgnesError {
  const rest = { details: {}, retry: "permanent", status: 500, exitCode: 1, isDataError: true } as const;
  return receivedError({ code, message, hint, ...rest });
}

function neither(command: string, text: string, sources: readonly string[]): AgnesError {
  const near = nearest(text, sources);
  return new AgnesError("usage_wrong", {
    command,
    reason: `${JSON.stringify(text)} is neither a source nor the id of a run`,
    next: near === undefined ? "`agnes runs` lists the runs of all sources." : `Did you mean ${near}?`,
  });
}

function statusText({ status, skips }: RunWithProgress): string {
  return skips === null ? status : `${status}, ${countText(skips.count)} times since ${skips.since}`;
}

function requesterText({ actor, trigger }: RunWithProgress): string {
  return trigger === "schedule" ? "the schedule" : `${actor}, ${trigger}`;
}

function timeText({ startedAt, endedAt }: RunWithProgress): string {
  return endedAt === null ? "" : durationText(Math.max(0, Date.parse(endedAt) - Date.parse(startedAt)));
}

function shareText({ share }: TableProgress): string {
  return share === null ? "" : `${Math.floor(share * 100)} %`;
}

/** The results of the tables, or their progress. */
function tablesText({ status, counts, progress }: RunWithProgress): string {
  if (status === "running")
    return progress
      .filter(({ phase }) => phase !== "done" && phase !== "failed")
      .map((table) => `${table.table} ${shareText(table) || `${countText(table.rows)} rows`}`)
      .join(", ");
  const { extracted, unchanged, failed } = counts;
  return `${countText(extracted)} updated, ${countText(unchanged)} unchanged, ${countText(failed)} failed`;
}
