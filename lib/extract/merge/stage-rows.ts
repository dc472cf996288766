import { arrow, createRowBuilder, type Row } from "../../kit/mod.ts";
import type { PublishedColumn } from "../format/extract-state.ts";
import type { TableJob } from "../job/job.ts";
import { invalidAsNull } from "../schema/invalid-as-null.ts";
import type { TablePlan } from "../job/plan.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { WHOLE_READ, type StagedPart } from "../write/staged.ts";
import { writeBatches } from "../write/write-parts.ts";

/** Writes changed rows in order into one staged part with these columns. */
export async function stageRows(
  job: TableJob,
  rows: readonly Row[],
  columns: readonly PublishedColumn[],
  quarantine: Pick<Quarantine, "add"> | null,
): Promise<StagedPart> {
  const { plan, nulled } = job;
  const builder = createRowBuilder(
    { name: plan.name, schema: plan.info.schema },
    {
      ...(quarantine === null ? {} : { onReject: (reject) => quarantine.add(reject) }),
      ...invalidAsNull(plan, nulled),
    },
  );
  const batches = [...builder.append(rows), ...builder.finish()];
  return writeBatches(job, builder.schema, batches, columns, { ordered: true, counted: WHOLE_READ });
}

/** Restricts the job of a table to some columns and makes those in `nullable` nullable. */
export function withColumns(
  job: TableJob,
  columns: readonly string[],
  nullable: readonly string[] = [],
): TableJob {
  const { nulled: _, ...rest } = job;
  const { info } = job.plan;
  return {
    ...rest,
    plan: { ...job.plan, info: { ...info, schema: fieldsOf(info.schema, columns, nullable) } },
  };
}

/** Restricts a schema to some columns and makes those in `nullable` nullable. */
export function fieldsOf(
  schema: arrow.Schema,
  columns: readonly string[],
  nullable: readonly string[],
): arrow.Schema {
  const fields = columns.map((name) => {
    const field = schema.fields.find((one) => one.name === name)!;
    return nullable.includes(name) ? new arrow.Field(field.name, field.type, true) : field;
  });
  return new arrow.Schema(fields);
}

/** The columns of the primary key and the version. */
export function versionedKey({
  primaryKey,
  cursor,
}: Pick<TablePlan, "primaryKey" | "cursor">): readonly string[] {
  return cursor === undefined ? primaryKey : [...new Set([...primaryKey, cursor])];
}

/** A copy of a row with some of its columns. */
export function only(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(columns.map((column) => [column, row[column]]));
}
