import { dirname, join } from "node:path";

import { AgnesError, publishFile, type Host } from "../base/mod.ts";
import type { Issue } from "./model.ts";
import type { NameConflict } from "./views/plan-names.ts";
import { analyticsPath } from "./paths.ts";

/** What a rebuild did, kept beside `analytics.duckdb`. */
export interface RebuildReport {
  /** Goes up with every change of `analytics.duckdb`. */
  readonly generation: number;
  /** ISO 8601, UTC. */
  readonly finishedAt: string;
  readonly published: readonly PublishedName[];
  /** What was left out on purpose, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Tables that did not get the name they asked for. */
  readonly conflicts: readonly NameConflict[];
  /** Names that are kept for tables of extracts that cannot be read now. */
  readonly reserved: readonly ReservedName[];
  /** What should be shown and cannot be. */
  readonly errors: readonly { readonly name: string; readonly code: string; readonly reason: string }[];
  /** Which way each remote table goes, and why not the better one. */
  readonly remotes: readonly RemoteReport[];
}

/** One published table. */
interface PublishedName {
  /** Its immutable id, and its qualified name in SQL. */
  readonly id: string;
  /** Its name in SQL; null when another table has it. */
  readonly viewName: string | null;
  readonly accessMode: "file" | "attached" | "remote";
}

/** A name that is kept for a table that is not shown. */
export interface ReservedName {
  readonly id: string;
  readonly viewName: string | null;
}

/** How one remote table is answered. */
interface RemoteReport {
  readonly id: string;
  /** `attach`: DuckDB reads the source itself; `live`: its connector is asked, if it can be. */
  readonly accessMode: "attach" | "live";
  /** Why it is not attached. */
  readonly reason: string | null;
}

/** The report of the last rebuild; null when there was none. @throws `file_failed`, `analytics_unreadable` */
export async function readRebuildReport(
  host: Pick<Host, "files">,
  dataDirectory: string,
): Promise<RebuildReport | null> {
  const path = reportPath(dataDirectory);
  const bytes = await host.files.read(path);
  if (bytes === null) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as RebuildReport;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AgnesError("analytics_unreadable", { path, reason: "it is not JSON" }, { cause: error });
  }
}

/** Keeps a report, atomically. */
export async function writeRebuildReport(
  host: Host,
  dataDirectory: string,
  report: RebuildReport,
): Promise<void> {
  await publishFile(host, reportPath(dataDirectory), `${JSON.stringify(report, null, 1)}\n`);
}

/** Sorts issues into what was left out on purpose and what failed. */
export function sortIssues(issues: readonly Issue[]): Pick<RebuildReport, "skipped" | "errors"> {
  return {
    skipped: issues.filter(({ kind }) => kind === "skipped").map(({ name, reason }) => ({ name, reason })),
    errors: issues
      .filter(({ kind }) => kind === "error")
      .map(({ name, reason, code }) => ({ name, code: code ?? "internal", reason })),
  };
}

function reportPath(dataDirectory: string): string {
  return join(dirname(analyticsPath(dataDirectory)), "rebuild-report.json");
}
