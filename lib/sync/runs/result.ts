import { isAgnesError, messageOf } from "../../base/mod.ts";
import { describeChange, type ExtractStats, type TableStats } from "../../extract/mod.ts";
import type { SourceReport } from "../report.ts";
import type { TableAttempt } from "../sync-state.ts";
import type { Run, RunError, RunTable } from "./types.ts";

/** A run keeps the results of this many tables, so that the record of a source with thousands of tables stays small. */
const TABLES_MAX = 200;

/** What the report of a source adds to the record of its run. */
export function resultOf({ status, stats, error }: SourceReport): Partial<Run> {
  return {
    status,
    generation: stats?.generation ?? null,
    published: stats?.published ?? false,
    counts: countsOf(stats),
    tables: stats === undefined ? [] : tablesOf(stats),
    error: error === undefined ? null : runError(error),
  };
}

function countsOf(stats: ExtractStats | undefined): Run["counts"] {
  return {
    extracted: stats?.tablesExtracted ?? 0,
    unchanged: stats?.tablesSkipped ?? 0,
    failed: stats?.tablesFailed ?? 0,
  };
}

function tablesOf({ tables, errors }: ExtractStats): readonly RunTable[] {
  const failures = new Map(errors.map(({ table, error }) => [table, runError(error)]));
  const known = new Set(tables.map(({ name }) => name));
  const unread = [...failures].filter(([name]) => !known.has(name));
  return [
    ...unread.map(([name, error]) => unreadTable(name, error)),
    ...tables
      .filter(({ status }) => status === "failed")
      .map((table) => tableOf(table, failures.get(table.name))),
    ...tables.filter(({ status }) => status === "extracted").map((table) => tableOf(table)),
  ].slice(0, TABLES_MAX);
}

function tableOf(stats: TableStats, failure?: RunError): RunTable {
  const { name, status, rows, sizeBytes, rowsRead, schemaChanges, error, elapsedMs } = stats;
  return {
    name,
    status,
    rows,
    sizeBytes,
    rowsRead,
    schemaChanges: schemaChanges.map(describeChange),
    error: failure ?? (error === undefined ? null : runError(error)),
    elapsedMs,
  };
}

/** A table that failed before its first read. */
function unreadTable(name: string, error: RunError): RunTable {
  return {
    name,
    status: "failed",
    rows: 0,
    sizeBytes: 0,
    rowsRead: 0,
    schemaChanges: [],
    error,
    elapsedMs: 0,
  };
}

/** An error as a run keeps it. */
export function runError(error: unknown): RunError {
  if (!isAgnesError(error)) return { code: "internal", message: shortened(messageOf(error)), hint: "" };
  return { code: error.code, message: shortened(error.message), hint: shortened(error.hint) };
}

/** What a run did with each table. @param requested the tables that an error of the whole source concerns */
export function attemptsOf(
  { status, stats, error }: SourceReport,
  requested: readonly string[],
): readonly TableAttempt[] {
  // The source was not ready, which is no failure of its tables.
  if (status === "skipped") return [];
  // A table that is not registered is a wrong request.
  if (stats === undefined) {
    if (error === undefined || isAgnesError(error, "table_not_registered")) return [];
    return requested.map((table) => ({ table, error: runError(error) }));
  }
  const failures = new Map(stats.errors.map((failed) => [failed.table, runError(failed.error)]));
  const names = new Set([...stats.tables.map(({ name }) => name), ...failures.keys()]);
  return [...names].map((table) => ({ table, error: failures.get(table) ?? null }));
}

/** Errors of sources may have texts of any length. */
const TEXT_MAX = 2000;

function shortened(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}…`;
}
