import type { Schema } from "apache-arrow";

import { AgnesError, copyRow } from "../../base/mod.ts";
import { describeQuery, quoteIdentifier } from "../../duckdb/mod.ts";
import {
  isDeletions,
  isFileChunk,
  isRows,
  toSchema,
  utf8,
  type arrow,
  type FileChunk,
  type Row,
} from "../../kit/mod.ts";
import { checkPlan, type TablePlan } from "../job/plan.ts";
import type { TableJob } from "../job/job.ts";
import { checkConditions } from "../schema/check-conditions.ts";
import { partsDirectory } from "../format/paths.ts";
import { inferColumns, inspectChunk } from "../../sources/mod.ts";
import type { BatchReader, Yielded } from "./batch-reader.ts";

/** Number of row objects to infer columns from. */
const INFERRED_ROWS_MAX = 8192;

/**
 * Returns the plan with the columns of the table, taken from the first batches of its read.
 *
 * An Arrow batch or a file describes its columns. Columns of row objects are inferred from the first rows. A read
 * without batches has the published columns, or else the registered ones.
 *
 * @throws `table_plan_invalid` if the columns cannot be determined
 */
export async function describeByRead(job: TableJob, reader: BatchReader): Promise<TablePlan> {
  const taken: Yielded[] = [];
  const rows: Row[] = [];
  let schema: Schema | null = null;
  while (schema === null) {
    const next = await reader.pull();
    const batch = next?.batch;
    const isTyped = typeof batch === "object" && batch !== null && !isDeletions(batch) && !isRows(batch);
    if (isTyped && isFileChunk(batch) && rows.length === 0) {
      const { chunk, found } = await describeFile(job, batch);
      taken.push({ batch: chunk });
      // An empty file has no columns.
      if (found.fields.length > 0) schema = found;
      continue;
    }
    if (batch !== undefined && isRows(batch)) {
      // The connector may reuse its objects for the next batch.
      const continues = rows.length + batch.length < INFERRED_ROWS_MAX;
      const own = continues ? batch.map((row) => copyRow(row)) : batch;
      for (const row of own) rows.push(row);
      taken.push({ batch: own });
    } else if (next !== null) taken.push(next);
    if (isTyped && !isFileChunk(batch) && rows.length === 0) schema = arrowSchema(batch);
    else if (next === null || isTyped || rows.length >= INFERRED_ROWS_MAX) {
      schema = await schemaOfRows(job, rows);
    }
  }
  reader.putBack(taken);
  const plan = { ...job.plan, info: { ...job.plan.info, schema } };
  checkPlan({ ...plan, columnsFrom: "discover" });
  await checkConditions(job.run.database, plan);
  return plan;
}

function arrowSchema(batch: unknown): Schema {
  const { schema } = batch as { readonly schema?: Schema };
  // Other values are rejected when the batch is checked.
  return Array.isArray(schema?.fields) ? schema : toSchema({ unknown: utf8() });
}

async function describeFile(
  job: TableJob,
  chunk: FileChunk,
): Promise<{ readonly chunk: FileChunk; readonly found: Schema }> {
  // Temporary files are written beside the staged parts and swept with them.
  const directory = partsDirectory(job.run.directory, job.plan.name);
  const { signal } = job;
  const { services } = job.run;
  await using connection = await job.run.database.connect();
  return await inspectChunk(services.host, chunk, { connection, directory, signal });
}

/**
 * Returns the columns of a table whose plugin does not describe it: the published ones, and those of changed rows.
 * @throws `table_plan_invalid` if there are neither
 */
export async function schemaOfChanges(job: TableJob, rows: readonly Row[]): Promise<Schema> {
  return schemaWith(job, rows, await fieldsOf(job));
}

async function schemaOfRows(job: TableJob, rows: readonly Row[]): Promise<Schema> {
  return schemaWith(job, rows, await publishedSchema(job));
}

function schemaWith({ plan }: TableJob, rows: readonly Row[], published: readonly arrow.Field[]): Schema {
  const objects = rows.filter((row) => typeof row === "object" && row !== null && !Array.isArray(row));
  const schema = inferColumns(objects, new Map(published.map((field) => [String(field.name), field])));
  if (schema.fields.length > 0) return schema;
  if (plan.columns !== undefined) {
    const names = new Set([...plan.columns, ...plan.primaryKey, ...(plan.cursor ? [plan.cursor] : [])]);
    return toSchema(Object.fromEntries([...names].map((name) => [name, utf8()])));
  }
  throw new AgnesError("table_plan_invalid", {
    id: plan.id,
    table: plan.name,
    option: "--columns COLUMNS",
    reason:
      "its plugin has no discover, so its columns are taken from its first rows, and there were none; " +
      "sync the table when it has rows, or register it with its columns",
  });
}

/** The published columns; empty if the table is read from scratch or has no rows. */
async function publishedSchema(job: TableJob): Promise<readonly arrow.Field[]> {
  return job.full || job.previous?.rows === 0 ? [] : fieldsOf(job);
}

/** The published columns. */
async function fieldsOf({ previous, signal, run: { database } }: TableJob): Promise<readonly arrow.Field[]> {
  if (previous === undefined || previous.sourceColumns.length === 0) return [];
  const list = previous.sourceColumns.map(
    ({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  await using connection = await database.connect();
  return (await describeQuery(connection, `SELECT ${list.join(", ")}`, { signal })).fields;
}
