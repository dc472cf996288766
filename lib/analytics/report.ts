import { dirname, join } from "node:path";

import { AgnesError, publishFile, type Host } from "../base/mod.ts";
import type { Issue } from "./model.ts";
import type { NameConflict } from "./views/plan-names.ts";
import { analyticsPath } from "./paths.ts";

/** The report of a rebuild, stored beside `analytics.duckdb`. */
export interface RebuildReport {
  /** The generation of `analytics.duckdb`. It increases with each change. */
  readonly generation: number;
  /** ISO 8601, UTC. */
  readonly finishedAt: string;
  /** The published tables. */
  readonly published: readonly PublishedName[];
  /** Sources, tables and values that were skipped by a rule. `name` is `source` or `source.table`. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  /** Tables that did not get their view name. */
  readonly conflicts: readonly NameConflict[];
  /** Names that stay reserved for tables of unreadable extracts. */
  readonly reserved: readonly ReservedName[];
  /** Sources and tables that failed. `name` is `source` or `source.table`, `code` an error code. */
  readonly errors: readonly { readonly name: string; readonly code: string; readonly reason: string }[];
  /** The access to each remote table. */
  readonly remotes: readonly RemoteReport[];
}

/** One published table. */
interface PublishedName {
  /** Its immutable id and qualified name in SQL, as `source.table`. */
  readonly id: string;
  /** Its view name; null if another table has it. */
  readonly viewName: string | null;
  readonly accessMode: "file" | "attached" | "remote";
}

/** A name that stays reserved for a table that is not published. */
export interface ReservedName {
  readonly id: string;
  readonly viewName: string | null;
}

/** The access to one remote table. */
interface RemoteReport {
  readonly id: string;
  /** `attach`: DuckDB reads the source; `live`: its connector reads it, if possible. */
  readonly accessMode: "attach" | "live";
  /** The reason why the table is not attached; null if it is, or if its source does not support attaching. */
  readonly reason: string | null;
}

/** Returns the report of the last rebuild; null if there was none. @throws `file_failed`, `analytics_unreadable` */
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

/** Writes a report atomically. */
export async function writeRebuildReport(
  host: Host,
  dataDirectory: string,
  report: RebuildReport,
): Promise<void> {
  await publishFile(host, reportPath(dataDirectory), `${JSON.stringify(report, null, 1)}\n`);
}

/** Splits issues into skipped items and errors. */
export function sortIssues(issues: readonly Issue[]): Pick<RebuildReport, "skipped" | "errors"> {
  return {
    skipped: issues.filter(({ kind }) => kind === "skipped").map(({ name, reason }) => ({ name, reason })),
    errors: issues
      .filter(({ kind }) => kind === "error")
      .map(({ name, reason, code }) => ({ name, code: code ?? "internal", reason })),
  };
}

/** The path of the report of the last rebuild. */
export function reportPath(dataDirectory: string): string {
  return join(dirname(analyticsPath(dataDirectory)), "rebuild-report.json");
}
