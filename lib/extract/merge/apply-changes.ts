import { AgnesError } from "../../base/mod.ts";
import { quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import { type PublishedTable, type SchemaVersion, type Tombstone } from "../format/extract-state.ts";
import { partsDirectory } from "../format/paths.ts";
import { definitionOf } from "../job/definition.ts";
import type { TableJob } from "../job/job.ts";
import { publishedColumns, type TablePlan } from "../job/plan.ts";
import { rejectingAfter } from "../job/rejecting.ts";
import { columnsOf } from "../schema/column.ts";
import { readParquet } from "../schema/select.ts";
import { finishParts } from "../write/finish-parts.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { discard, type StagedPart } from "../write/staged.ts";
import { writeEmptyPart } from "../write/write-parts.ts";
import { deltaNames, dropDelta, loadDelta, type Delta } from "./delta.ts";
import type { TableChanges } from "./last-changes.ts";
import { partitionOf } from "./merge-read.ts";
import { mergeDelta } from "./merge.ts";
import { stageDeletes, withTombstones } from "./stage-deletes.ts";
import { stageReplaced } from "./stage-replaced.ts";
import { stageRows } from "./stage-rows.ts";
import { dropTombstoned, keyText } from "./tombstones.ts";

/** A table after its changes were merged. */
export interface AppliedChanges {
  readonly table: PublishedTable;
  readonly upserts: number;
  readonly deletes: number;
  readonly rowsQuarantined: number;
  readonly partsWritten: number;
}

/** Merges changes into a table. Each affected part or partition is rewritten once. */
export async function applyChanges(
  job: TableJob,
  changes: TableChanges,
  quarantine: Quarantine | null,
): Promise<AppliedChanges> {
  const { plan } = job;
  const { services, directory } = job.run;
  if (plan.primaryKey.length === 0) {
    throw new AgnesError("table_plan_invalid", {
      id: plan.id,
      table: plan.name,
      option: "--primary-key COLUMNS",
      reason: "pushed changes need a primary key",
    });
  }
  await services.host.files.makeDirectory(partsDirectory(directory, plan.name));
  const previous = job.previous ?? emptyTable(job);
  const delta = deltaNames();
  await using connection = await job.run.database.connect();
  const staged: StagedPart[] = [];
  const { columns } = previous;
  try {
    const change = await stageChanges(job, connection, delta, { changes, previous, quarantine, staged });
    const { settledKeys } = change;
    const merged = await mergeDelta(job, connection, delta, {
      published: previous,
      columns,
      key: plan.primaryKey,
      ...(plan.cursor === undefined
        ? {}
        : {
            newest: { column: plan.cursor, ...(settledKeys === undefined ? {} : { settled: settledKeys }) },
          }),
      ...partitionOf(job),
    });
    const isEmpty = merged.kept.length + merged.written.length === 0;
    const written = isEmpty ? [await writeEmptyPart(job, columns)] : merged.written;
    const version = previous.schemas.at(-1)!.version;
    const finished = await finishParts(job, written, version, {
      key: plan.primaryKey[0],
      cursor: plan.cursor,
    });
    const parts = [...merged.kept, ...finished];
    const rowsQuarantined = quarantine?.rows ?? 0;
    const rejecting = rejectingAfter(
      previous.rejecting,
      plan,
      rowsQuarantined,
      job.nulled?.isEmpty === false,
    );
    return {
      table: {
        ...previous,
        parts,
        rows: parts.reduce((sum, part) => sum + part.rows, 0),
        sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
        extractedAt: services.host.now(),
        // Events do not move the cursor, because the next read must still find all other rows.
        tombstones: change.tombstones,
        ...(rejecting === undefined ? {} : { rejecting }),
      },
      upserts: staged.reduce((sum, part) => sum + part.rows, 0),
      deletes: change.deletes,
      rowsQuarantined,
      partsWritten: finished.length,
    };
  } finally {
    await dropDelta(connection, delta).catch(() => {});
    await discard(job.run, staged);
  }
}

/**
 * Fills the delta and returns the settled keys and tombstones. The parts in `staged` are needed until the merge is
 * done.
 */
async function stageChanges(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  from: {
    readonly changes: TableChanges;
    readonly previous: PublishedTable;
    readonly quarantine: Quarantine | null;
    readonly staged: StagedPart[];
  },
): Promise<{
  readonly settledKeys: string | undefined;
  readonly deletes: number;
  readonly tombstones: readonly Tombstone[];
}> {
  const { plan } = job;
  const { previous, quarantine, staged } = from;
  const { upserts, deletes, settled, replaced } = from.changes;
  const { columns } = previous;
  staged.push(await stageRows(job, upserts, columns, quarantine));
  if (settled.upserts.length > 0) staged.push(await stageRows(job, settled.upserts, columns, quarantine));
  const [, forced] = staged;
  const settledKeys = forced === undefined ? undefined : readParquet([forced.path]);
  await loadDelta(job, connection, delta, staged, columns, plan.primaryKey);
  const of = { previous, quarantine };
  const added = [
    ...(await stageDeletes(job, connection, delta, { ...of, deletes, isSettled: false })),
    ...(await stageDeletes(job, connection, delta, { ...of, deletes: settled.deletes, isSettled: true })),
  ];
  const ended = await endedTombstones(connection, plan, previous.tombstones, settledKeys);
  const blocking = previous.tombstones.filter(({ key }) => !ended.has(key));
  await dropTombstoned(connection, delta, blocking, columns, plan);
  const gone = await stageReplaced(job, connection, delta, { ...of, replaced, settledKeys });
  return {
    settledKeys,
    deletes: deletes.length + settled.deletes.length + gone.rows,
    tombstones: withTombstones(previous.tombstones, [...added, ...gone.tombstones], ended),
  };
}

function emptyTable(job: TableJob): PublishedTable {
  const { plan } = job;
  const { services, generation } = job.run;
  const columns = columnsOf(plan.info.schema, publishedColumns(plan));
  const schema: SchemaVersion = {
    version: 1,
    generation,
    changedAt: services.host.now(),
    columns,
    sourceColumns: columns,
    changes: [],
  };
  return {
    name: plan.name,
    description: plan.description,
    mode: "local",
    rows: 0,
    sizeBytes: 0,
    extractedAt: services.host.now(),
    columns,
    sourceColumns: columns,
    parts: [],
    schemas: [schema],
    definition: definitionOf(plan),
    tombstones: [],
  };
}

/** The keys whose tombstones end, because a replacement lists the rows again. */
async function endedTombstones(
  connection: Connection,
  { primaryKey }: Pick<TablePlan, "primaryKey">,
  tombstones: readonly Tombstone[],
  settledKeys: string | undefined,
): Promise<ReadonlySet<string>> {
  if (tombstones.length === 0 || settledKeys === undefined) return new Set();
  const text = keyText(primaryKey, "s");
  const known = tombstones.map((tombstone) => quoteLiteral(tombstone.key)).join(", ");
  const rows = await connection.rows<{ key: string }>(
    `SELECT ${text} AS key FROM ${settledKeys} s WHERE ${text} IN (${known})`,
  );
  return new Set(rows.map(({ key }) => key));
}
