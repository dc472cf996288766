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
import { partsDirectory } from "../format/paths.ts";
import { inferColumns, inspectChunk } from "../../sources/mod.ts";
import type { BatchReader, Yielded } from "./batch-reader.ts";

/** How many row objects are looked at to find their columns. */
const ROWS_LOOKED_AT = 8192;

/**
 * The plan with the columns of a table from the first batch of its read: an Arrow batch or a file has them, row objects
 * are looked at until there are enough. A read without a batch has the columns that are published, or that are registered.
 *
 * @throws `table_plan_invalid` when nothing tells them
 */
export async function describeByRead(job: TableJob, reader: BatchReader): Promise<TablePlan> {
  const taken: Yielded[] = [];
  const rows: Row[] = [];
  let schema: Schema | null = null;
  while (schema === null) {
    const next = await reader.pull();
    const batch = next?.batch;
    const isTold = typeof batch === "object" && batch !== null && !isDeletions(batch) && !isRows(batch);
    if (isTold && isFileChunk(batch) && rows.length === 0) {
      const { chunk, found } = await describeFile(job, batch);
      taken.push({ batch: chunk });
      // A file without anything in it tells nothing.
      if (found.fields.length > 0) schema = found;
      continue;
    }
    if (batch !== undefined && isRows(batch)) {
      // The connector may use its objects again when it goes on.
      const goesOn = rows.length + batch.length < ROWS_LOOKED_AT;
      const own = goesOn ? batch.map((row) => copyRow(row)) : batch;
      for (const row of own) rows.push(row);
      taken.push({ batch: own });
    } else if (next !== null) taken.push(next);
    if (isTold && !isFileChunk(batch) && rows.length === 0) schema = arrowSchema(batch);
    else if (next === null || isTold || rows.length >= ROWS_LOOKED_AT) {
      schema = await schemaOfRows(job, rows);
    }
  }
  reader.putBack(taken);
  const plan = { ...job.plan, info: { ...job.plan.info, schema } };
  checkPlan({ ...plan, columnsFrom: "discover" });
  return plan;
}

function arrowSchema(batch: unknown): Schema {
  const { schema } = batch as { readonly schema?: Schema };
  // What is no batch at all is named when it is taken.
  return Array.isArray(schema?.fields) ? schema : toSchema({ unknown: utf8() });
}

async function describeFile(
  job: TableJob,
  chunk: FileChunk,
): Promise<{ readonly chunk: FileChunk; readonly found: Schema }> {
  // It lies with the parts that are being written, and is swept with them.
  const directory = partsDirectory(job.run.directory, job.plan.name);
  const { signal } = job;
  const { services } = job.run;
  await using connection = await job.run.database.connect();
  return await inspectChunk(services.host, chunk, { connection, directory, signal });
}

async function schemaOfRows(job: TableJob, rows: readonly Row[]): Promise<Schema> {
  const published = await publishedSchema(job);
  const objects = rows.filter((row) => typeof row === "object" && row !== null && !Array.isArray(row));
  const schema = inferColumns(objects, new Map(published.map((field) => [String(field.name), field])));
  if (schema.fields.length > 0) return schema;
  const { plan } = job;
  if (plan.columns !== undefined) {
    const names = new Set([...plan.columns, ...plan.primaryKey, ...(plan.cursor ? [plan.cursor] : [])]);
    return toSchema(Object.fromEntries([...names].map((name) => [name, utf8()])));
  }
  throw new AgnesError("table_plan_invalid", {
    table: plan.name,
    reason:
      "its plugin has no discover, so its columns come with its first rows, and there were none; " +
      "sync it when it has rows, or register it with its columns",
  });
}

/** The columns that are published, unless all is read from scratch or there is no row whose values they hold. */
async function publishedSchema({
  full,
  previous,
  signal,
  run: { database },
}: TableJob): Promise<readonly arrow.Field[]> {
  if (full || previous === undefined || previous.rows === 0 || previous.sourceColumns.length === 0) return [];
  const list = previous.sourceColumns.map(
    ({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteIdentifier(name)}`,
  );
  await using connection = await database.connect();
  return (await describeQuery(connection, `SELECT ${list.join(", ")}`, { signal })).fields;
}
