import { join } from "node:path";

import { eachOf, isAgnesError, messageOf, AgnesError, throwIfAborted } from "../base/mod.ts";
import { decideRead, type ReadDecision } from "./read/decide.ts";
import type { ReadResult, RowReject } from "../kit/mod.ts";
import { definitionOf } from "./job/definition.ts";
import { rowHash } from "./merge/fingerprint.ts";
import type { MergedRead } from "./merge/merge-read.ts";
import { assemble, layoutOf, stateOf, type Layout } from "./table-layout.ts";
import { inOrderOfOrigins } from "./merge/origins.ts";
import { sameTombstones } from "./merge/tombstones.ts";
import { compareRows, DIFFERENT, fingerprintOfWritten, type Comparison } from "./merge/compare-rows.ts";
import { nulledOf } from "./job/nulled-values.ts";
import { mergeCounted } from "./merge-counted.ts";
import { finishParts } from "./write/finish-parts.ts";
import { upgradeParts } from "./publish/upgrade-parts.ts";
import { extractInAttempts } from "./query-attempts.ts";
import type { ReadRange } from "./read/lookback.ts";
import { censusTime, takeCensus, withCensus, type KeyCensus } from "./key-census.ts";
import { loadOf, watchWindows, type WindowWatch } from "./read/first-load.ts";
import { readNotes } from "./read-notes.ts";
import { openRead } from "./read/open-read.ts";
import type { PublishedColumn, SchemaChange, PublishedTable } from "./format/extract-state.ts";
import { textConditionError } from "./schema/check-conditions.ts";
import { filterCondition } from "./schema/select.ts";
import type { TableJob } from "./job/job.ts";
import { redescribed, withKindsKept } from "./redescribe.ts";
import { quarantineNotes, quarantineOf, type Quarantine } from "./write/quarantine.ts";
import { partsDirectory } from "./format/paths.ts";
import { discard, type WrittenParts } from "./write/staged.ts";
import { writeParts } from "./write/write-parts.ts";
import type { WriteTarget } from "./write/write-target.ts";

/** The result of reading a table, before it is published. */
export interface TableOutcome {
  /** The table to publish. If nothing changed: the published table with the new cursor and state. */
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

/** Maximum number of parts to check at once. */
const PARTS_CHECKED_AT_ONCE = 32;

/** Reads one table and makes its parts durable, without publishing them. */
export async function extractTable(requested: TableJob): Promise<TableOutcome> {
  const quarantine = quarantineOf(requested);
  let job: TableJob = { ...requested, ...nulledOf(requested.plan) };
  try {
    job = await withKindsKept(job);
    try {
      const restart = () => {
        job.nulled?.reset();
        return quarantine?.restart();
      };
      return await extractInAttempts(job, (own) => extractOnce(own, quarantine), restart);
    } catch (error) {
      const again = await redescribed(job, error);
      if (again === null) throw error;
      // The whole table is read again, so earlier rejects would be duplicates.
      await quarantine?.reset();
      again.nulled?.reset();
      return await extractOnce(again, quarantine);
    }
  } catch (error) {
    throw tableError(job, error);
  }
}

async function extractOnce(job: TableJob, quarantine: Quarantine | null): Promise<TableOutcome> {
  const { plan, previous } = job;
  const { services } = job.run;
  // If the table had no rows, its published columns are only a guess.
  const isGuessed = plan.columnsFrom === "read" && previous?.rows === 0;
  const decision = decideRead(plan, previous, {
    full: job.full || isGuessed,
    isReadAgain: job.isReadAgain === true,
    partsMissing: await anyPartMissing(job),
  });
  for (const note of decision.notes) services.log.info(note, { table: plan.name });
  await services.host.files.makeDirectory(partsDirectory(job.run.directory, plan.name));
  try {
    const first = await readFirst(job, decision, quarantine);
    if (first.kind === "outcome") return await withUpgradedParts(job, first.outcome);
    await quarantine?.reset();
    job.nulled?.reset();
    const whole: ReadDecision = {
      kind: "whole",
      accept: false,
      notes: [`${first.reason}, so the table was read in full`],
    };
    const second = await readAndMerge(job, whole, quarantine);
    if (second.kind !== "outcome") throw new AgnesError("internal", { what: first.reason });
    return await withUpgradedParts(job, second.outcome);
  } finally {
    await quarantine?.finish();
  }
}

/** Returns the outcome with all parts in the current format. */
async function withUpgradedParts(job: TableJob, outcome: TableOutcome): Promise<TableOutcome> {
  const table = await upgradeParts(job, outcome.table);
  if (table === outcome.table) return outcome;
  const before = new Set(outcome.table.parts);
  const partsWritten = outcome.partsWritten + table.parts.filter((part) => !before.has(part)).length;
  const notes = [...outcome.notes, "its parts were rewritten in a format that every Parquet reader supports"];
  return { ...outcome, table, changed: true, partsWritten, notes };
}

type ReadOutcome =
  | { readonly kind: "outcome"; readonly outcome: TableOutcome }
  /** A window without rows, which is not published. */
  | { readonly kind: "empty"; readonly state: ReadResult["state"] }
  | { readonly kind: "again"; readonly reason: string };

/** Reads the table as decided. A first load in windows ends after the first window with rows. */
async function readFirst(
  job: TableJob,
  decision: ReadDecision,
  quarantine: Quarantine | null,
): Promise<Exclude<ReadOutcome, { kind: "empty" }>> {
  const load = loadOf(job, decision);
  const census = await takeCensus(job, decision, quarantine);
  if (census.kind === "again") return census;
  const notes = [...decision.notes, ...load.notes];
  const watch = watchWindows(job);
  let keptState = job.previous?.state;
  for (const window of load.windows) {
    job.progress.window(window.left);
    const kept = keptState === undefined ? {} : { keptState };
    const read = await readAndMerge(job, { ...decision, notes, window, ...kept }, quarantine, { watch });
    if (read.kind !== "empty") return read;
    keptState ??= read.state;
  }
  const reading = readAndMerge(job, { ...decision, notes }, quarantine, { census });
  const read = await reading.catch(async (error: unknown) => {
    await discard(job.run, census.gone);
    throw error;
  });
  if (read.kind === "empty")
    throw new AgnesError("internal", { what: "a read without windows returned an empty window" });
  return read;
}

async function readAndMerge(
  job: TableJob,
  decision: ReadDecision,
  quarantine: Quarantine | null,
  { watch, census }: { readonly watch?: WindowWatch; readonly census?: KeyCensus } = {},
): Promise<ReadOutcome> {
  const startedAt = job.run.services.host.now();
  job.progress.phase("reading");
  const onReject = quarantine === null ? null : (reject: RowReject) => quarantine.add(reject);
  const read = await openRead(job, decision, onReject);
  const working: TableJob = { ...job, plan: read.plan };
  const { plan, previous } = working;
  const layout = layoutOf(working, decision);
  let merging = decision;
  try {
    const target = targetOf(working, decision, read.range, layout.columns, quarantine);
    const written = await writeParts(working, read.reader, target);
    const rowsRead = written.rowsRead + (quarantine?.rows ?? 0);
    throwIfAborted(job.signal, "the extraction");
    const { window } = decision;
    const skipped = skipWindow(working, decision, written, { watch, rowsRead, end: read.reader.end });
    if (skipped !== null) {
      await discard(job.run, written.parts);
      return skipped;
    }
    const { staged, end } = await withCensus(working, census, written, endOf(read.reader.end, decision));
    const isLoading = isFirstLoad(job, decision);
    if (!isLoading && end.unchanged === true && previous !== undefined && previous.parts.length > 0) {
      await discard(job.run, staged.parts);
      return unchanged({ ...withoutState(previous), ...unchangedFindings(previous, end, census) }, figures());
    }
    job.progress.phase("merging");
    const counted = { staged, rowsRead, end, columns: layout.columns, quarantine };
    const merged = await mergeCounted(working, decision, counted);
    if (merged.kind === "again") return merged;
    ({ merging } = merged);
    const cursor = merged.cursor === undefined ? {} : { cursor: merged.cursor };
    const rejecting = merged.rejecting === undefined ? {} : { rejecting: merged.rejecting };
    const findings = { ...rejecting, ...censusTime(working, merging, { startedAt, census }) };
    const compared =
      decision.publishes === true || isLoading ? DIFFERENT : await comparePublished(working, layout, merged);
    const canStay = layout.changes.length === 0 && !isLoading;
    if (previous !== undefined && canStay && (!merged.changed || compared.isSame)) {
      await discard(job.run, [...staged.parts, ...merged.written]);
      const fingerprint = compared.fingerprint === undefined ? {} : { fingerprint: compared.fingerprint };
      const found = { ...cursor, ...stateOf(end.state), ...fingerprint, ...findings };
      const checked = { ...withoutState(previous), ...found };
      return unchanged(checked, figures(merged.rowsDeleted, merged.notes));
    }
    const loaded = merged.isComplete ? {} : { loadedUntil: window!.to!.toISOString() };
    const finished = await finishTable(working, layout, merged, end.state);
    const outcome: TableOutcome = {
      ...figures(merged.rowsDeleted, merged.notes),
      table: { ...finished.table, ...loaded, ...findings },
      changed: true,
      partsWritten: finished.partsWritten,
      schemaChanges: layout.changes,
    };
    return { kind: "outcome", outcome };

    function figures(rowsDeleted = 0, mergeNotes: readonly string[] = []) {
      return {
        full: merging.kind === "whole" || window !== undefined,
        rowsRead,
        rowsDeleted,
        ...quarantineFigures(quarantine),
        notes: [
          // Notes of an incremental decision do not depend on the rows read; readNotes replaces them.
          ...(merging.kind === "delta" ? (census?.notes ?? []) : merging.notes),
          ...(window === undefined ? readNotes(plan, merging, staged.parts, end) : []),
          ...read.range.notes,
          ...mergeNotes,
          ...read.reader.unknownKeyNotes(),
          ...quarantineNotes(quarantine),
          ...(job.nulled?.notes ?? []),
        ],
      };
    }
  } finally {
    read.reader.close();
  }
}

/**
 * Checks whether the rows read equal the published ones. They are compared only if everything except the rows is equal.
 */
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
    !sameTombstones(previous.tombstones, merged.tombstones) ||
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

/** Whether this read continues or ends a first load. The end of a first load is published too. */
function isFirstLoad({ previous }: TableJob, { window }: ReadDecision): boolean {
  return window !== undefined || previous?.loadedUntil !== undefined;
}

/** The result of a read with the state of the first window, so that later reads find changes made during the load. */
function endOf(result: ReadResult, { keptState }: ReadDecision): ReadResult {
  return keptState === undefined ? result : { ...result, state: keptState };
}

function quarantineFigures(
  quarantine: Quarantine | null,
): Pick<TableOutcome, "rowsQuarantined" | "quarantinePath"> {
  if (quarantine === null || quarantine.rows === 0) return { rowsQuarantined: 0 };
  return { rowsQuarantined: quarantine.rows, quarantinePath: quarantine.path };
}

/** The reason not to publish the rows of a window; null if they are published. */
function skipWindow(
  { previous }: TableJob,
  { window }: ReadDecision,
  staged: WrittenParts,
  read: { readonly watch: WindowWatch | undefined; readonly rowsRead: number; readonly end: ReadResult },
): Exclude<ReadOutcome, { kind: "outcome" }> | null {
  const { watch, rowsRead, end } = read;
  if (window === undefined) return null;
  if (watch?.ignoresWindows(staged.rowsRead, staged.parts) === true)
    return { kind: "again", reason: "its source ignores load windows" };
  const isEmpty = staged.parts.every((part) => part.rows === 0) && rowsRead === staged.rowsRead;
  // The table is known to have no other rows.
  const isComplete = window.byChanges === true && end.tableRows === (previous?.rows ?? 0);
  return isEmpty && window.to !== undefined && !isComplete ? { kind: "empty", state: end.state } : null;
}

function unchanged(
  table: PublishedTable,
  figures: Omit<TableOutcome, "table" | "changed" | "partsWritten" | "schemaChanges">,
): ReadOutcome {
  const outcome = { ...figures, table, changed: false, partsWritten: 0, schemaChanges: [] };
  return { kind: "outcome", outcome };
}

/** What a read found that reported no change. */
function unchangedFindings(
  previous: PublishedTable,
  { state = previous.state }: ReadResult,
  census: KeyCensus | undefined,
): Pick<PublishedTable, "state" | "censusAt"> {
  const censusAt = census?.startedAt?.toISOString();
  return { ...stateOf(state), ...(censusAt === undefined ? {} : { censusAt }) };
}

function withoutState(table: PublishedTable): PublishedTable {
  const { state: _, ...rest } = table;
  return rest;
}

/** The table to publish, with new parts under their final names. */
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
    limit: plan.limit ?? null,
    // The last row of a key wins, so the order of the read matters.
    ordered: plan.primaryKey.length > 0 && plan.strategy !== "full_refresh",
    // A fingerprint exists if one of the last two full reads changed nothing. A table that keeps changing is not
    // hashed.
    rowHash: decision.kind === "whole" && previous?.fingerprint !== undefined ? rowHash(columns) : null,
    isFinal:
      decision.kind === "whole" && plan.strategy !== "partitioned" && previous?.fingerprint === undefined,
    quarantine,
  };
}

async function anyPartMissing({ previous, run: { services, directory } }: TableJob): Promise<boolean> {
  const missing = await eachOf(previous?.parts ?? [], PARTS_CHECKED_AT_ONCE, async (part) => {
    const stat = await services.host.files.stat(join(directory, part.path));
    return stat === null || stat.sizeBytes !== part.sizeBytes ? part : null;
  });
  const part = missing.find((one) => one !== null);
  if (part === undefined) return false;
  services.log.warn("a published part is missing or truncated", { table: previous!.name, path: part.path });
  return true;
}

function tableError({ plan, run: { source } }: TableJob, error: unknown): AgnesError {
  if (isAgnesError(error)) return textConditionError(plan, error) ?? error;
  const reason = messageOf(error);
  return new AgnesError(
    "table_read_failed",
    { source: source.name, table: plan.name, reason },
    { cause: error },
  );
}
