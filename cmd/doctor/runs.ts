import type { Agnes } from "../../lib/agnes.ts";
import type { RunWithProgress } from "../../lib/sync/mod.ts";
import { plural } from "../terminal/figures.ts";
import { warning, type Check } from "./check.ts";

/** As many runs may be wrong requests before an earlier failure is no longer shown. */
const RUNS_READ = 20;

/**
 * The sources whose last run failed. A run that was skipped is shown by the health of its source, and one of a table that is
 * not registered was a wrong request.
 */
export async function runChecks(agnes: Agnes): Promise<readonly Check[]> {
  const runs = await agnes.runs();
  const last = await Promise.all(
    Object.keys(agnes.workspace.config.sources).map(async (source) => {
      const latest = await runs.list({ source, limit: RUNS_READ });
      return latest.find(({ error }) => error?.code !== "table_not_registered") ?? [];
    }),
  );
  return last.flat().flatMap(checksOf);
}

function checksOf(run: RunWithProgress): readonly Check[] {
  const { id, source, status, startedAt, error } = run;
  const name = `last run of ${source}`;
  const command = `\`agnes runs ${id}\` shows it.`;
  if (status === "lost")
    return [
      warning(name, `its process ended before the run of ${startedAt} did`, `Run \`agnes sync ${source}\`.`),
    ];
  if (status !== "failed") return [];
  const message = `it failed at ${startedAt}: ${failureText(run)}`;
  const hint = error === null || error.hint === "" ? command : `${error.hint} ${command}`;
  return [{ name, state: "error", message, hint }];
}

function failureText({ error, counts, tables }: RunWithProgress): string {
  if (error !== null) return `${error.message} (${error.code})`;
  const first = tables.find((table) => table.error !== null)?.error;
  const count = `${plural(counts.failed, "table")} failed`;
  return first == null ? count : `${count}, the first with ${first.code}`;
}
