import * as arrow from "apache-arrow";

import { AgnesError } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { createRowBuilder, type Row } from "../../kit/mod.ts";
import { definitionOf } from "../job/definition.ts";
import { deltaNames, dropDelta, loadDelta, type Delta } from "./delta.ts";
import { mergeDelta } from "./merge.ts";
import { partitionOf } from "./merge-read.ts";
import { dropTombstoned, keyText } from "./tombstones.ts";
import { partsRelation } from "./candidates.ts";
import { publishedColumns } from "../job/plan.ts";
import { rejectingAfter } from "../job/rejecting.ts";
import { finishParts } from "../write/finish-parts.ts";
import { columnsOf } from "../schema/column.ts";
import {
  TOMBSTONES_KEPT,
  type PublishedColumn,
  type PublishedTable,
  type SchemaVersion,
  type Tombstone,
} from "../format/extract-state.ts";
import { keysMatch, readParquet } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { partsDirectory } from "../format/paths.ts";
import { discard, WHOLE_READ, type StagedPart } from "../write/staged.ts";
import { writeBatches, writeEmptyPart } from "../write/write-parts.ts";
import type { TableChanges } from "./last-changes.ts";

/** A table after changes were merged into it. */
export interface ChangedTable {
  readonly table: PublishedTable;
  readonly upserts: number;
  readonly deletes: number;
  readonly rowsQuarantined: number;
  readonly partsWritten: number;
}

/** Merges changes into a table: one rewrite of each part or partition however many changes there are. */
export async function applyChanges(
  job: TableJob,
  changes: TableChanges,
  quarantine: Quarantine | null,
): Promise<ChangedTable> {
  const { plan } = job;
  const { services, directory } = job.run;
  if (plan.primaryKey.length === 0) {
    throw new AgnesError("table_plan_invalid", {
      table: plan.name,
      reason: "pushed changes need a primary key",
    });
  }
  await services.host.files.makeDirectory(partsDirectory(directory, plan.name));
  const previous = job.previous ?? emptyTable(job);
  const delta = deltaNames();
  await using connection = await job.run.database.connect();
  const staged: StagedPart[] = [];
  try {
    const upserts = await stageRows(job, changes.upserts, previous.columns, quarantine);
    staged.push(upserts);
    await loadDelta(job, connection, delta, staged, previous.columns, plan.primaryKey);
    const tombstones = await stageDeletes(job, connection, delta, {
      previous,
      deletes: changes.deletes,
      quarantine,
    });
    await dropTombstoned(connection, delta, previous.tombstones, previous.columns, plan);
    const merged = await mergeDelta(job, connection, delta, {
      published: previous,
      columns: previous.columns,
      key: plan.primaryKey,
      ...(plan.cursor === undefined ? {} : { newest: plan.cursor }),
      ...partitionOf(job),
    });
    const isEmpty = merged.kept.length + merged.written.length === 0;
    const written = isEmpty ? [await writeEmptyPart(job, previous.columns)] : merged.written;
    const version = previous.schemas.at(-1)!.version;
    const finished = await finishParts(job, written, version, {
      key: plan.primaryKey[0],
      cursor: plan.cursor,
    });
    const parts = [...merged.kept, ...finished];
    const rowsQuarantined = quarantine?.rows ?? 0;
    const rejecting = rejectingAfter(previous.rejecting, plan, rowsQuarantined);
    return {
      table: {
        ...previous,
        parts,
        rows: parts.reduce((sum, part) => sum + part.rows, 0),
        sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
        extractedAt: services.host.now(),
        // The cursor stays: events tell of single rows, and one moved by them would skip rows only a read can find.
        tombstones,
        ...(rejecting === undefined ? {} : { rejecting }),
      },
      upserts: upserts.rows,
      deletes: changes.deletes.length,
      rowsQuarantined,
      partsWritten: finished.length,
    };
  } finally {
    await dropDelta(connection, delta).catch(() => {});
    await discard(job.run, staged);
  }
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

async function stageRows(
  job: TableJob,
  rows: readonly Row[],
  columns: readonly PublishedColumn[],
  quarantine: Quarantine | null,
): Promise<StagedPart> {
  const builder = createRowBuilder(
    { name: job.plan.name, schema: job.plan.info.schema },
    quarantine === null ? {} : { onReject: (reject) => quarantine.add(reject) },
  );
  const batches = [...builder.append(rows), ...builder.finish()];
  return writeBatches(job, builder.schema, batches, columns, { ordered: true, counted: WHOLE_READ });
}

/** Fills the delta's table of deleted keys and gives the tombstones there are then. */
async function stageDeletes(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  from: {
    readonly previous: PublishedTable;
    readonly deletes: readonly Row[];
    readonly quarantine: Quarantine | null;
  },
): Promise<readonly Tombstone[]> {
  const { plan } = job;
  const { previous, deletes, quarantine } = from;
  const cursor = previous.columns.find((column) => column.name === plan.cursor);
  const names = cursor === undefined ? plan.primaryKey : [...new Set([...plan.primaryKey, cursor.name])];
  const fields = names.map((name) => plan.info.schema.fields.find((field) => field.name === name)!);
  const nullable = fields.map((field) =>
    field.name === cursor?.name ? new arrow.Field(field.name, field.type, true) : field,
  );
  // They stay until they are too many: they also bar older versions that a read brings.
  if (deletes.length === 0) return previous.tombstones;
  const keyColumns = previous.columns.filter((column) => names.includes(column.name));
  const keyPlan = { ...plan, info: { ...plan.info, schema: new arrow.Schema(nullable) } };
  const staged = await stageRows({ ...job, plan: keyPlan }, deletes, keyColumns, quarantine);
  try {
    const relation = readParquet([staged.path]);
    const keys = previous.columns.filter((column) => plan.primaryKey.includes(column.name));
    const list = keys.map((column) => quoteIdentifier(column.name)).join(", ");
    if (cursor === undefined) {
      await connection.run(`INSERT INTO ${delta.deleted} SELECT DISTINCT ${list} FROM ${relation}`);
      return [];
    }
    const version = quoteIdentifier(cursor.name);
    const wanted = previous.columns.filter((column) => names.includes(column.name));
    const published = partsRelation(job.run, previous.parts, wanted, previous.schemas);
    const match = keysMatch(plan.primaryKey, "d", "o");
    // A deletion that is older than what is published lost; its row was made again since.
    await connection.run(
      `INSERT INTO ${delta.deleted} SELECT DISTINCT ${keys.map((k) => `d.${quoteIdentifier(k.name)}`).join(", ")}
       FROM ${relation} d WHERE NOT EXISTS (SELECT 1 FROM ${published} o WHERE ${match} AND o.${version} > d.${version})`,
    );
    const rows = await connection.rows<Tombstone>(
      `SELECT ${keyText(plan.primaryKey, "d")} AS key,
         CAST(coalesce(d.${version}, (SELECT max(o.${version}) FROM ${published} o WHERE ${match})) AS VARCHAR) AS version
       FROM ${relation} d`,
    );
    const gone = new Set(rows.map((row) => row.key));
    return [...previous.tombstones.filter((tombstone) => !gone.has(tombstone.key)), ...rows].slice(
      -TOMBSTONES_KEPT,
    );
  } finally {
    await discard(job.run, [staged]);
  }
}
