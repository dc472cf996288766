import { join } from "node:path";

import { eachOf, isAgnesError, messageOf, AgnesError, throwIfAborted } from "../base/mod.ts";
import { decideRead, type ReadDecision } from "./read/decide.ts";
import type { ReadResult, RowReject } from "../kit/mod.ts";
import { definitionOf } from "./job/definition.ts";
import { rowHash } from "./merge/fingerprint.ts";
import { mergeRead, type MergedRead } from "./merge/merge-read.ts";
import { assemble, layoutOf, stateOf, type Layout } from "./table-layout.ts";
import { inOrderOfOrigins } from "./merge/origins.ts";
import { compareRows, DIFFERENT, fingerprintOfWritten, type Comparison } from "./merge/same-rows.ts";
import { rejectingAfter } from "./job/rejecting.ts";
import { finishParts } from "./write/finish-parts.ts";
import { renewParts } from "./publish/renew-parts.ts";
import type { ReadRange } from "./read/look-back.ts";
import { loadOf } from "./read/first-load.ts";
import { readNotes } from "./read-notes.ts";
import type { LoadWindow } from "./job/load-windows.ts";
import { openRead } from "./read/open-read.ts";
import type { PublishedColumn, SchemaChange, PublishedTable } from "./format/extract-state.ts";
import { filterCondition } from "./schema/select.ts";
import type { TableJob } from "./job/job.ts";
import { redescribed, withKindsKept } from "./redescribe.ts";
import { checkQuarantine, quarantineNotes, quarantineOf, type Quarantine } from "./write/quarantine.ts";
import { partsDirectory } from "./format/paths.ts";
import { discard } from "./write/staged.ts";
import { writeParts, type WrittenParts } from "./write/write-parts.ts";
import type { WriteTarget } from "./write/write-target.ts";

/** What became of a table, before it is published. */
export interface TableOutcome {
  /** The table to publish; when nothing changed, as it is published, with where the next read continues. */
  readonly table: PublishedTable;
  readonly changed: boolean;
  readonly full: boolean;
  readonly rowsRead: number;
  readonly rowsDeleted: number;
  readonly rowsQuarantined: number;
  readonly quarantinePath?: string;
  readonly partsWritten: number;
  readonly schemaChanges: readonly SchemaChange[];
  readonly notes: readonly string[];
}

/** How many parts are looked at at once. */
const PARTS_LOOKED_AT = 32;

/** Reads one table and makes its parts durable; publishes nothing. */
export async function extractTable(given: TableJob): Promise<TableOutcome> {
  const quarantine = quarantineOf(given);
  let job = given;
  try {
    job = await withKindsKept(given);
    try {
      return await extractOnce(job, quarantine);
    } catch (error) {
      const again = await redescribed(job, error);
      if (again === null) throw error;
      // All of it is read again; otherwise its rejected rows would be there twice.
      await quarantine?.reset();
      return await extractOnce(again, quarantine);
    }
  } catch (error) {
    throw tableError(job, error);
  }
}

async function extractOnce(job: TableJob, quarantine: Quarantine | null): Promise<TableOutcome> {
  const { plan, previous } = job;
  const { services } = job.run;
  // Columns that were registered for want of a row are no more than a guess.
  const isGuessed = plan.columnsFrom === "read" && previous?.rows === 0;
  const decision = decideRead(plan, previous, {
    full: job.full || isGuessed,
    partsMissing: await anyPartMissing(job),
  });
  for (const note of decision.notes) services.log.info(note, { table: plan.name });
  await services.host.files.makeDirectory(partsDirectory(job.run.directory, plan.name));
  try {
    const first = await readFirst(job, decision, quarantine);
    if (first.kind === "outcome") return await renewed(job, first.outcome);
    await quarantine?.reset();
    const whole: ReadDecision = {
      kind: "whole",
      accept: false,
      notes: [`${first.reason}, so all of it was read`],
    };
    const second = await readAndMerge(job, whole, quarantine);
    if (second.kind !== "outcome") throw new AgnesError("internal", { what: first.reason });
    return await renewed(job, second.outcome);
  } finally {
    await quarantine?.finish();
  }
}

/** The outcome with every part in today's format, whatever the read came to. */
async function renewed(job: TableJob, outcome: TableOutcome): Promise<TableOutcome> {
  const table = await renewParts(job, outcome.table);
  if (table === outcome.table) return outcome;
  const before = new Set(outcome.table.parts);
  const partsWritten = outcome.partsWritten + table.parts.filter((part) => !before.has(part)).length;
  const notes = [...outcome.notes, "its parts were rewritten, so that every Parquet reader can read them"];
  return { ...outcome, table, changed: true, partsWritten, notes };
}

type ReadOutcome =
  | { readonly kind: "outcome"; readonly outcome: TableOutcome }
  /** A window without rows, which is not worth a publish. */
  | { readonly kind: "empty"; readonly state: ReadResult["state"] }
  | { readonly kind: "again"; readonly reason: string };

/** Reads the table as it was decided; of a first load that goes by windows, up to the first one that has rows. */
async function readFirst(
  job: TableJob,
  decision: ReadDecision,
  quarantine: Quarantine | null,
): Promise<Exclude<ReadOutcome, { kind: "empty" }>> {
  const load = loadOf(job, decision);
  const notes = [...decision.notes, ...load.notes];
  let keptState = job.previous?.state;
  for (const window of load.windows) {
    job.progress.window(window.left);
    const kept = keptState === undefined ? {} : { keptState };
    const read = await readAndMerge(job, { ...decision, notes, window, ...kept }, quarantine);
    if (read.kind !== "empty") return read;
    keptState ??= read.state;
  }
  const read = await readAndMerge(job, { ...decision, notes }, quarantine);
  if (read.kind === "empty") throw new AgnesError("internal", { what: "a read without windows has none" });
  return read;
}

async function readAndMerge(
  job: TableJob,
  decision: ReadDecision,
  quarantine: Quarantine | null,
): Promise<ReadOutcome> {
  job.progress.phase("reading");
  const onReject = quarantine === null ? null : (reject: RowReject) => quarantine.add(reject);
  const read = await openRead(job, decision, onReject);
  const working: TableJob = { ...job, plan: read.plan };
  const { plan, previous } = working;
  const layout = layoutOf(working, decision);
  try {
    const target = targetOf(working, decision, read.range, layout.columns, quarantine);
    const staged = await writeParts(working, read.reader, target);
    const rowsRead = staged.rowsRead + (quarantine?.rows ?? 0);
    const given = read.reader.end;
    throwIfAborted(job.signal, "the extraction");
    const { window } = decision;
    const passedOver = passOver(window, staged, { rowsRead, state: given.state });
    if (passedOver !== null) {
      await discard(job.run, staged.parts);
      return passedOver;
    }
    const end = endOf(given, decision);
    const isLoading = isFirstLoad(job, decision);
    if (!isLoading && end.unchanged === true && previous !== undefined && previous.parts.length > 0) {
      await discard(job.run, staged.parts);
      const table = { ...withoutState(previous), ...stateOf(end.state ?? previous.state) };
      return unchanged(table, figures());
    }
    job.progress.phase("merging");
    const merged = await mergeRead(working, decision, staged.parts, end, layout.columns, quarantine);
    if (merged.kind === "again") return merged;
    checkQuarantine(quarantine, plan, { read: rowsRead, replaces: merged.replaces });
    const cursor = merged.cursor === undefined ? {} : { cursor: merged.cursor };
    const rejecting = rejectingOf(job, decision, end, quarantine);
    const compared =
      decision.publishes === true || isLoading ? DIFFERENT : await comparePublished(working, layout, merged);
    const canStay = layout.changes.length === 0 && !isLoading;
    if (previous !== undefined && canStay && (!merged.changed || compared.isSame)) {
      await discard(job.run, [...staged.parts, ...merged.written]);
      const fingerprint = compared.fingerprint === undefined ? {} : { fingerprint: compared.fingerprint };
      const state = stateOf(end.state);
      const checked = { ...withoutState(previous), ...cursor, ...state, ...fingerprint, ...rejecting };
      return unchanged(checked, figures(merged.rowsDeleted, merged.notes));
    }
    const loaded = window?.to === undefined ? {} : { loadedUntil: window.to.toISOString() };
    const finished = await finishTable(working, layout, merged, end.state);
    const outcome: TableOutcome = {
      ...figures(merged.rowsDeleted, merged.notes),
      table: { ...finished.table, ...loaded, ...rejecting },
      changed: true,
      partsWritten: finished.partsWritten,
      schemaChanges: layout.changes,
    };
    return { kind: "outcome", outcome };

    function figures(rowsDeleted = 0, mergeNotes: readonly string[] = []) {
      return {
        full: decision.kind === "whole" || window !== undefined,
        rowsRead,
        rowsDeleted,
        ...quarantineFigures(quarantine),
        notes: [
          // Those of a delta only say how it would be merged, whatever came.
          ...(decision.kind === "delta" ? [] : decision.notes),
          ...(window === undefined ? readNotes(plan, decision, staged.parts, end) : []),
          ...read.range.notes,
          ...mergeNotes,
          ...read.reader.unknownKeyNotes(),
          ...quarantineNotes(quarantine),
        ],
      };
    }
  } finally {
    read.reader.close();
  }
}

/** Whether what was read is what is published; only what looks like the same table in every other way is compared. */
async function comparePublished(
  job: TableJob,
  layout: Layout,
  merged: Extract<MergedRead, { kind: "merged" }>,
): Promise<Comparison> {
  const { original, plan, previous } = job;
  if (
    previous === undefined ||
    !merged.changed ||
    !merged.replaces ||
    previous.parts.length === 0 ||
    previous.tombstones.length > 0 ||
    previous.mode !== plan.mode ||
    previous.name !== plan.name ||
    previous.description !== plan.description ||
    previous.definition !== definitionOf(original) ||
    previous.schemas.at(-1) !== layout.version ||
    JSON.stringify(previous.columns) !== JSON.stringify(layout.columns) ||
    JSON.stringify(previous.sourceColumns) !== JSON.stringify(layout.sourceColumns)
  ) {
    return DIFFERENT;
  }
  const replaced = previous.parts.filter((part) => !merged.kept.includes(part));
  await using connection = await job.run.database.connect();
  const { columns, version } = layout;
  return await compareRows(job, connection, merged.written, replaced, {
    columns,
    version: version.version,
  });
}

/** Whether a first load goes on, or ends with this read: that it is over is published too. */
function isFirstLoad({ previous }: TableJob, { window }: ReadDecision): boolean {
  return window !== undefined || previous?.loadedUntil !== undefined;
}

/** How a read ended; what changed since the first window was read is new to the reads that follow the last one. */
function endOf(result: ReadResult, { keptState }: ReadDecision): ReadResult {
  return keptState === undefined ? result : { ...result, state: keptState };
}

function quarantineFigures(
  quarantine: Quarantine | null,
): Pick<TableOutcome, "rowsQuarantined" | "quarantinePath"> {
  if (quarantine === null || quarantine.rows === 0) return { rowsQuarantined: 0 };
  return { rowsQuarantined: quarantine.rows, quarantinePath: quarantine.path };
}

/** Why what a window gave is not published; `null` when it is. */
function passOver(
  window: LoadWindow | undefined,
  staged: WrittenParts,
  { rowsRead, state }: { readonly rowsRead: number; readonly state: ReadResult["state"] },
): Exclude<ReadOutcome, { kind: "outcome" }> | null {
  if (window === undefined) return null;
  if (isUnrestricted(staged)) return { kind: "again", reason: "its source does not read by windows" };
  const isEmpty = staged.parts.every((part) => part.rows === 0) && rowsRead === staged.rowsRead;
  return isEmpty && window.to !== undefined ? { kind: "empty", state } : null;
}

/** How many rows that do not belong to a window show that the source does not look at windows. */
const STRANGERS_MIN = 1000;

/** Whether most of what came was left out again; each further window would read the whole table once more. */
function isUnrestricted({ parts, rowsRead }: WrittenParts): boolean {
  const kept = parts.reduce((sum, part) => sum + (part.kind === "staged" ? part.rows : 0), 0);
  return rowsRead - kept > STRANGERS_MIN + 2 * kept || parts.some((part) => part.origin !== null);
}

function unchanged(
  table: PublishedTable,
  figures: Omit<TableOutcome, "table" | "changed" | "partsWritten" | "schemaChanges">,
): ReadOutcome {
  const outcome = { ...figures, table, changed: false, partsWritten: 0, schemaChanges: [] };
  return { kind: "outcome", outcome };
}

function withoutState(table: PublishedTable): PublishedTable {
  const { state: _, ...rest } = table;
  return rest;
}

/** The table as it is to be published, with its new parts under their final names. */
async function finishTable(
  job: TableJob,
  layout: Layout,
  merged: Extract<MergedRead, { kind: "merged" }>,
  state: PublishedTable["state"],
): Promise<{ readonly table: PublishedTable; readonly partsWritten: number }> {
  const { plan, previous } = job;
  const written = await finishParts(job, merged.written, layout.version.version, {
    key: plan.primaryKey[0],
    cursor: plan.cursor,
  });
  const parts = inOrderOfOrigins([...merged.kept, ...written]);
  const fingerprint =
    merged.kept.length > 0 ? {} : fingerprintOfWritten(previous?.fingerprint, merged.written);
  return {
    table: { ...assemble(job, layout, parts, merged, state), ...fingerprint },
    partsWritten: written.length,
  };
}

function rejectingOf(
  { plan, previous }: TableJob,
  { kind }: ReadDecision,
  { kept = [] }: ReadResult,
  quarantine: Quarantine | null,
): Pick<PublishedTable, "rejecting"> {
  const before = kind === "whole" && kept.length === 0 ? undefined : previous?.rejecting;
  const rejecting = rejectingAfter(before, plan, quarantine?.rows ?? 0);
  return rejecting === undefined ? {} : { rejecting };
}

function targetOf(
  { plan, previous }: TableJob,
  decision: ReadDecision,
  range: ReadRange,
  columns: readonly PublishedColumn[],
  quarantine: Quarantine | null,
): WriteTarget {
  const type = columns.find((column) => column.name === plan.cursor)?.type;
  const cursor = range.cursor === undefined || type === undefined ? null : { ...range.cursor, type };
  return {
    columns,
    condition: filterCondition(range.filter, cursor),
    originCondition: filterCondition(range.originFilter, null),
    // The last row of a key wins, so the order of the read counts.
    ordered: plan.primaryKey.length > 0 && plan.strategy !== "full_refresh",
    // There is one when one of the last two full reads changed nothing; a table that keeps changing pays nothing.
    rowHash: decision.kind === "whole" && previous?.fingerprint !== undefined ? rowHash(columns) : null,
    isFinal:
      decision.kind === "whole" && plan.strategy !== "partitioned" && previous?.fingerprint === undefined,
    quarantine,
  };
}

async function anyPartMissing({ previous, run: { services, directory } }: TableJob): Promise<boolean> {
  const missing = await eachOf(previous?.parts ?? [], PARTS_LOOKED_AT, async (part) => {
    const stat = await services.host.files.stat(join(directory, part.path));
    return stat === null || stat.sizeBytes !== part.sizeBytes ? part : null;
  });
  const part = missing.find((one) => one !== null);
  if (part === undefined) return false;
  services.log.warn("a published part is missing or cut short", { table: previous!.name, path: part.path });
  return true;
}

function tableError({ plan, run: { source } }: TableJob, error: unknown): AgnesError {
  if (isAgnesError(error)) return error;
  const reason = messageOf(error);
  return new AgnesError(
    "table_read_failed",
    { source: source.name, table: plan.name, reason },
    { cause: error },
  );
}
