import { join } from "node:path";

import { eachOf, isAgnesError, messageOf, AgnesError, throwIfAborted } from "../base/mod.ts";
import { decideRead, type ReadDecision } from "./read/decide.ts";
import type { ReadEnd, RowReject } from "../kit/mod.ts";
import { definitionOf } from "./job/definition.ts";
import { rowHash } from "./merge/fingerprint.ts";
import { mergeRead, type MergedRead } from "./merge/merge-read.ts";
import { inOrderOfOrigins } from "./merge/origins.ts";
import { compareRows, DIFFERENT, fingerprintOfWritten, type Comparison } from "./merge/same-rows.ts";
import { publishedColumns } from "./job/plan.ts";
import { rejectingAfter } from "./job/rejecting.ts";
import { finishParts } from "./write/finish-parts.ts";
import { renewParts } from "./publish/renew-parts.ts";
import type { ReadRange } from "./read/look-back.ts";
import { readNotes } from "./read-notes.ts";
import { openRead } from "./read/open-read.ts";
import { columnsOf } from "./schema/column.ts";
import type {
  PublishedColumn,
  SchemaChange,
  Part,
  PublishedTable,
  SchemaVersion,
} from "./format/extract-state.ts";
import { describeChange } from "./schema/diff.ts";
import { evolve, sameLayout } from "./schema/evolve.ts";
import { filterCondition } from "./schema/select.ts";
import type { TableJob } from "./job/job.ts";
import { redescribed, withKindsKept } from "./redescribe.ts";
import { checkQuarantine, quarantineNotes, quarantineOf, type Quarantine } from "./write/quarantine.ts";
import { partsDirectory } from "./format/paths.ts";
import { discard, writeParts } from "./write/write-parts.ts";
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
    const first = await readAndMerge(job, decision, quarantine);
    if (first.kind === "outcome") return await renewed(job, first.outcome);
    await quarantine?.reset();
    const whole: ReadDecision = {
      kind: "whole",
      accept: false,
      notes: [`${first.reason}, so all of it was read`],
    };
    const second = await readAndMerge(job, whole, quarantine);
    if (second.kind === "again") throw new AgnesError("internal", { what: second.reason });
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

type ReadResult =
  | { readonly kind: "outcome"; readonly outcome: TableOutcome }
  | { readonly kind: "again"; readonly reason: string };

async function readAndMerge(
  job: TableJob,
  decision: ReadDecision,
  quarantine: Quarantine | null,
): Promise<ReadResult> {
  job.progress.phase("reading");
  const onReject = quarantine === null ? null : (reject: RowReject) => quarantine.add(reject);
  const read = await openRead(job, decision, onReject);
  const plan = read.plan;
  const working: TableJob = { ...job, plan };
  const layout = layoutOf(working, decision);
  try {
    const target = targetOf(working, decision, read.range, layout.columns, quarantine);
    const staged = await writeParts(working, read.source, target);
    const rowsRead = staged.rowsRead + (quarantine?.rows ?? 0);
    const end = read.tap.end();
    throwIfAborted(job.signal, "the extraction");
    const { previous } = job;
    if (end.unchanged === true && previous !== undefined && previous.parts.length > 0) {
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
      decision.publishes === true ? DIFFERENT : await comparePublished(working, layout, merged);
    if (previous !== undefined && layout.changes.length === 0 && (!merged.changed || compared.isSame)) {
      await discard(job.run, [...staged.parts, ...merged.written]);
      const fingerprint = compared.fingerprint === undefined ? {} : { fingerprint: compared.fingerprint };
      const checked = {
        ...withoutState(previous),
        ...cursor,
        ...stateOf(end.state),
        ...fingerprint,
        ...rejecting,
      };
      return unchanged(checked, figures(merged.rowsDeleted, merged.notes));
    }
    const written = await finishParts(working, merged.written, layout.version.version, {
      key: plan.primaryKey[0],
      cursor: plan.cursor,
    });
    const parts = inOrderOfOrigins([...merged.kept, ...written]);
    const known = merged.kept.length > 0 ? {} : fingerprintOfWritten(previous?.fingerprint, merged.written);
    const table = { ...assemble(working, layout, parts, merged, end.state), ...known, ...rejecting };
    const outcome: TableOutcome = {
      ...figures(merged.rowsDeleted, merged.notes),
      table,
      changed: true,
      partsWritten: written.length,
      schemaChanges: layout.changes,
    };
    return { kind: "outcome", outcome };

    function figures(rowsDeleted = 0, mergeNotes: readonly string[] = []) {
      return {
        full: decision.kind === "whole",
        rowsRead,
        rowsDeleted,
        rowsQuarantined: quarantine?.rows ?? 0,
        ...(quarantine === null || quarantine.rows === 0 ? {} : { quarantinePath: quarantine.path }),
        notes: [
          // Those of a delta only say how it would be merged, whatever came.
          ...(decision.kind === "delta" ? [] : decision.notes),
          ...readNotes(plan, decision, staged.parts, end),
          ...read.range.notes,
          ...mergeNotes,
          ...read.source.unknownKeyNotes(),
          ...quarantineNotes(quarantine),
        ],
      };
    }
  } finally {
    read.tap.close();
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

function unchanged(
  table: PublishedTable,
  figures: Omit<TableOutcome, "table" | "changed" | "partsWritten" | "schemaChanges">,
): ReadResult {
  const outcome = { ...figures, table, changed: false, partsWritten: 0, schemaChanges: [] };
  return { kind: "outcome", outcome };
}

function withoutState(table: PublishedTable): PublishedTable {
  const { state: _, ...rest } = table;
  return rest;
}

function stateOf(state: PublishedTable["state"]): Pick<PublishedTable, "state"> {
  return state === undefined ? {} : { state };
}

function rejectingOf(
  { plan, previous }: TableJob,
  { kind }: ReadDecision,
  { kept = [] }: ReadEnd,
  quarantine: Quarantine | null,
): Pick<PublishedTable, "rejecting"> {
  const before = kind === "whole" && kept.length === 0 ? undefined : previous?.rejecting;
  const rejecting = rejectingAfter(before, plan, quarantine?.rows ?? 0);
  return rejecting === undefined ? {} : { rejecting };
}

interface Layout {
  readonly columns: readonly PublishedColumn[];
  readonly sourceColumns: readonly PublishedColumn[];
  readonly changes: readonly SchemaChange[];
  /** The version that parts written now have. */
  readonly version: SchemaVersion;
  readonly schemas: readonly SchemaVersion[];
}

function layoutOf(job: TableJob, decision: ReadDecision): Layout {
  const { plan, previous } = job;
  const { services } = job.run;
  const sourceColumns = columnsOf(plan.info.schema, publishedColumns(plan));
  const { columns, changes } = evolve(plan.name, previous ?? null, sourceColumns, {
    policy: plan.schemaPolicy,
    accept: decision.accept,
    replaced: decision.kind === "whole" && decision.state === undefined,
    reading: plan.info.reading,
  });
  for (const change of changes) services.log.warn(describeChange(change), { table: plan.name });
  const schemas = previous?.schemas ?? [];
  const last = schemas.at(-1);
  if (last !== undefined && changes.length === 0 && sameLayout(last.columns, columns)) {
    return { columns, sourceColumns, changes, version: last, schemas };
  }
  const version: SchemaVersion = {
    version: (last?.version ?? 0) + 1,
    generation: job.run.generation,
    changedAt: services.host.now(),
    columns,
    sourceColumns,
    changes,
  };
  return { columns, sourceColumns, changes, version, schemas: [...schemas, version] };
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

/** How many layouts are remembered beyond those that parts still have. */
const SCHEMAS_KEPT = 50;

function assemble(
  job: TableJob,
  layout: Layout,
  parts: readonly Part[],
  { cursor, shadowed, tombstones }: Extract<MergedRead, { kind: "merged" }>,
  state: PublishedTable["state"],
): PublishedTable {
  const { plan } = job;
  const used = new Set(parts.map((part) => part.schemaVersion));
  const recent = layout.schemas.slice(-SCHEMAS_KEPT);
  return {
    name: plan.name,
    description: plan.description,
    mode: plan.mode,
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
    extractedAt: job.run.services.host.now(),
    columns: layout.columns,
    sourceColumns: layout.sourceColumns,
    parts,
    schemas: layout.schemas.filter((schema) => used.has(schema.version) || recent.includes(schema)),
    definition: definitionOf(job.original),
    ...(plan.primaryKey.length > 0 && parts.some((part) => part.origin !== null) ? { shadowed } : {}),
    tombstones,
    ...(cursor === undefined ? {} : { cursor }),
    ...stateOf(state),
    ...(plan.info.reading === undefined ? {} : { reading: plan.info.reading }),
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
