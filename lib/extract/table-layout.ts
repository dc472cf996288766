import type { ReadDecision } from "./read/decide.ts";
import type {
  Part,
  PublishedColumn,
  PublishedTable,
  SchemaChange,
  SchemaVersion,
} from "./format/extract-state.ts";
import { definitionOf } from "./job/definition.ts";
import type { TableJob } from "./job/job.ts";
import { publishedColumns } from "./job/plan.ts";
import type { MergedRead } from "./merge/merge-read.ts";
import { columnsOf } from "./schema/column.ts";
import { describeChange } from "./schema/diff.ts";
import { evolve, sameLayout } from "./schema/evolve.ts";

/** The columns of a table after a read. */
export interface Layout {
  readonly columns: readonly PublishedColumn[];
  readonly sourceColumns: readonly PublishedColumn[];
  readonly changes: readonly SchemaChange[];
  /** The schema version of new parts. */
  readonly version: SchemaVersion;
  readonly schemas: readonly SchemaVersion[];
}

/** Decides the columns of a table from the published layout and the source's description. */
export function layoutOf(job: TableJob, decision: ReadDecision): Layout {
  const { plan, previous } = job;
  const { services } = job.run;
  const sourceColumns = columnsOf(plan.info.schema, publishedColumns(plan));
  const { columns, changes } = evolve(plan.name, previous ?? null, sourceColumns, {
    id: plan.id,
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

/** Number of schema versions to keep in addition to those that parts use. */
const SCHEMAS_KEPT = 50;

/** The table to publish. */
export function assemble(
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

/** The connector's state for the next read. */
export function stateOf(state: PublishedTable["state"]): Pick<PublishedTable, "state"> {
  return state === undefined ? {} : { state };
}
