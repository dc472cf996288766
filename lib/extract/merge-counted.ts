import { counted } from "../base/mod.ts";
import type { ReadResult } from "../kit/mod.ts";
import type { PublishedColumn, PublishedTable } from "./format/extract-state.ts";
import type { TableJob } from "./job/job.ts";
import type { LoadWindow } from "./job/load-windows.ts";
import { rejectingAfter } from "./job/rejecting.ts";
import { mergeRead, type MergedRead } from "./merge/merge-read.ts";
import type { ReadDecision } from "./read/decide.ts";
import { cursorOf } from "./read/lookback.ts";
import { checkQuarantine, type Quarantine } from "./write/quarantine.ts";
import { discard, type WrittenParts } from "./write/staged.ts";

type Merged = Extract<MergedRead, { kind: "merged" }>;

/** A merged read whose number of rows was compared with the source, or the reason to read the whole table again. */
export type CountedMerge =
  | (Merged & {
      /** The decision by which the rows were merged: a delta that has all rows of the table replaces it. */
      readonly merging: ReadDecision;
      /** Whether the window of a first load was the last that is needed, because the table has all rows. */
      readonly isComplete: boolean;
      readonly rejecting: PublishedTable["rejecting"];
    })
  | Exclude<MergedRead, Merged>;

/** The rows of a read and the result that it returned. */
interface ReadRows {
  readonly staged: WrittenParts;
  /** The number of rows read, including rejected ones. */
  readonly rowsRead: number;
  readonly end: ReadResult;
  readonly columns: readonly PublishedColumn[];
  readonly quarantine: Quarantine | null;
}

/**
 * Merges the rows of a read with the published rows, and compares their number with that of the source. A delta that leads
 * to another number is discarded, because rows were deleted or replaced in the source.
 *
 * @throws `quarantine_exceeded`
 */
export async function mergeCounted(
  job: TableJob,
  decision: ReadDecision,
  { staged, rowsRead, end, columns, quarantine }: ReadRows,
): Promise<CountedMerge> {
  const { parts } = staged;
  const tableRows = comparableRows(job, decision, end);
  const replaces = end.isWhole === true && decision.kind === "delta" && decision.window === undefined;
  if (replaces && decision.cursor !== undefined) {
    await discard(job.run, parts);
    return { kind: "again", reason: "its source returned all rows, also those before the cursor" };
  }
  const isWhole = replaces || hasAllRows(decision, parts, quarantine?.rows ?? 0, tableRows);
  const merging: ReadDecision = isWhole ? { kind: "whole", accept: false, notes: [] } : decision;
  const merged = await mergeRead(job, merging, parts, end, columns, quarantine);
  if (merged.kind === "again") return merged;
  checkQuarantine(quarantine, job.plan, { read: rowsRead, replaces: merged.replaces });
  const rejecting = rejectingOf(job, merging, end, quarantine);
  const problem = rowsProblem(merged, rejecting, tableRows, keyText(job, columns));
  const { kind, window } = decision;
  const isAgain = window === undefined ? kind === "delta" && !replaces : isLastOfChanges(window);
  if (problem !== null && isAgain) {
    await discard(job.run, [...parts, ...merged.written]);
    return { kind: "again", reason: problem };
  }
  const notes = [
    ...(merged.notes ?? []),
    ...historyNotes(job, decision, end),
    ...(problem === null || window?.to !== undefined ? [] : [problem]),
  ];
  const isComplete =
    window === undefined || window.to === undefined || (tableRows !== undefined && problem === null);
  return { ...merged, notes, merging, rejecting, isComplete };
}

const isLastOfChanges = ({ byChanges, to }: LoadWindow): boolean => byChanges === true && to === undefined;

/** The number of rows in the source; undefined if it is not known or the published rows differ from it by design. */
function comparableRows(
  job: TableJob,
  { window }: ReadDecision,
  { tableRows }: ReadResult,
): number | undefined {
  const { mode, filter = [] } = job.plan;
  const isPartial = mode !== "local" || filter.length > 0 || hasLimitedHistory(job);
  const isWindow = window?.to !== undefined && window.byChanges !== true;
  return isPartial || isWindow ? undefined : tableRows;
}

/** Whether the history is limited: a limit without a cursor column of dates or timestamps is ignored. */
const hasLimitedHistory = (job: TableJob): boolean =>
  job.plan.historyDays !== undefined && cursorOf(job).isTime;

/** A note at each full read whose later changes are not compared with the source. */
function historyNotes(job: TableJob, { kind }: ReadDecision, { tableRows }: ReadResult): readonly string[] {
  const isMerged = kind === "whole" && job.plan.strategy !== "full_refresh";
  if (!isMerged || tableRows === undefined || !hasLimitedHistory(job)) return [];
  return [
    "its history is limited, so syncs do not find rows that are deleted in the source, except with --full",
  ];
}

/** Whether a delta has as many rows as the table in its source. */
function hasAllRows(
  { kind, window }: ReadDecision,
  parts: WrittenParts["parts"],
  rejected: number,
  tableRows: number | undefined,
): boolean {
  if (kind === "whole" || window !== undefined || tableRows === undefined) return false;
  // Rows and deletions may contain the same keys.
  if (parts.some((part) => part.kind === "deletions")) return false;
  return parts.reduce((sum, part) => sum + part.rows, rejected) === tableRows;
}

function rejectingOf(
  { plan, previous, nulled }: TableJob,
  { kind }: ReadDecision,
  { kept = [] }: ReadResult,
  quarantine: Quarantine | null,
): PublishedTable["rejecting"] {
  const before = kind === "whole" && kept.length === 0 ? undefined : previous?.rejecting;
  return rejectingAfter(before, plan, quarantine?.rows ?? 0, nulled?.isEmpty === false);
}

/** How the published rows differ in number from those of the source; null if they do not. */
function rowsProblem(
  { kept, written, rowsReplaced }: Merged,
  rejecting: PublishedTable["rejecting"],
  tableRows: number | undefined,
  key: string,
): string | null {
  if (tableRows === undefined) return null;
  // Rows that an earlier version rejected without counting them explain nothing; a full read counts them.
  const missing = rejecting?.rows ?? 0;
  const rows = [...kept, ...written].reduce((sum, part) => sum + part.rows, 0);
  if (rows + missing === tableRows) return null;
  const without = missing === 0 ? "" : ` and ${counted(missing, "rejected row")}`;
  const problem = `its source reports ${counted(tableRows, "row")}, but it has ${rows}${without} after the read`;
  // Otherwise the read yielded rows twice.
  const isDistinct = rowsReplaced !== undefined && rows + missing + rowsReplaced === tableRows;
  return isDistinct
    ? `${problem}, because several of its rows have the same key, compared as ${key}`
    : problem;
}

/** The types in which the primary key is compared: `id BIGINT`. */
function keyText({ plan: { primaryKey } }: TableJob, columns: readonly PublishedColumn[]): string {
  const typeOf = (name: string) => columns.find((column) => column.name === name)?.type ?? "";
  return primaryKey.map((name) => `${name} ${typeOf(name)}`.trim()).join(", ");
}
