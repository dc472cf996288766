import { AgnesError, type arrow, type TableInfo, type WriteMode, type WriteOptions } from "agnes/kit";

import { statusOf } from "../api/api.ts";
import { CsvText } from "./csv-text.ts";
import { errors } from "../errors.ts";
import { jobSchema, type Job } from "../api/schemas.ts";
import type { Source } from "../source.ts";
import { pathOf } from "../tables/tables.ts";
import { missingTable } from "./write-access.ts";
import { reasonOf, writeFailed } from "./write-failed.ts";
import { typeOfField } from "../tables/types.ts";
import { SlicedUpload } from "./upload.ts";
import { findWriteTarget, type WriteTarget } from "./write-target.ts";

/** The characters of CSV in one slice, before it is compressed; one slice is in memory. */
const SLICE_LENGTH = 16 * 1024 * 1024;

/**
 * Writes rows to a table: uploads them as slices of CSV, and imports these in one job once all are there.
 * @returns the number of rows that Keboola imported
 */
export async function writeTable(
  source: Source,
  info: TableInfo,
  batches: AsyncIterable<arrow.RecordBatch>,
  { mode, signal }: WriteOptions,
): Promise<{ readonly rows: number }> {
  const target = await findWriteTarget(source, info.name, { mode, signal });
  if (target === null) throw missingTable(source.settings, info.name);
  checkUnchanged(info, target);
  const { upload, rows } = await uploadRows(source, target, batches, { mode, signal });
  if (upload === null) return { rows };
  await upload.finish();
  const job = await importFile(source, target, upload.id, { mode, signal });
  return { rows: job.results?.importedRowsCount ?? rows };
}

/** Rejects rows that `writeTable` would reject. */
export async function checkRows(
  source: Source,
  info: TableInfo,
  batches: AsyncIterable<arrow.RecordBatch>,
  { mode, signal }: WriteOptions,
): Promise<void> {
  const target = await findWriteTarget(source, info.name, { mode, signal });
  if (target === null) throw missingTable(source.settings, info.name);
  for await (const _ of recordsOf(target, batches)) signal.throwIfAborted();
}

/** The rows were checked against the description of the table. */
function checkUnchanged({ name, schema }: TableInfo, { info }: WriteTarget): void {
  const textOf = (fields: readonly arrow.Field[]) =>
    fields.map((field) => `${JSON.stringify(field.name)} ${typeOfField(field)}`).join(", ");
  const [expected, found] = [textOf(schema.fields), textOf(info.schema.fields)];
  if (expected === found) return;
  const reason = `its columns changed meanwhile, from ${expected} to ${found}`;
  throw errors.write_refused({ table: name, reason, advice: "Run it again." });
}

/** Uploads all rows; without rows nothing is uploaded, unless the table is emptied. */
async function uploadRows(
  source: Source,
  target: WriteTarget,
  batches: AsyncIterable<arrow.RecordBatch>,
  { mode, signal }: WriteOptions,
): Promise<{ readonly upload: SlicedUpload | null; readonly rows: number }> {
  const table = target.info.name;
  let upload: SlicedUpload | null = null;
  const send = async (text: string) => {
    upload ??= await SlicedUpload.prepare(source, table, signal).catch(startFailed(source, table));
    await upload.add(text);
  };
  let text = "";
  let rows = 0;
  for await (const piece of recordsOf(target, batches)) {
    signal.throwIfAborted();
    text += piece.text;
    rows = piece.rows;
    if (text.length < SLICE_LENGTH) continue;
    await send(text);
    text = "";
  }
  const isEmptied = mode === "replace" && rows === 0;
  if (text !== "" || isEmptied) await send(text);
  return { upload, rows };
}

/** Returns the rows as pieces of CSV, each with the number of rows up to the end of its batch. */
async function* recordsOf(
  { info, columns }: WriteTarget,
  batches: AsyncIterable<arrow.RecordBatch>,
): AsyncGenerator<{ readonly text: string; readonly rows: number }, void, void> {
  let rows = 0;
  const csv = new CsvText(columns, ({ row, column, reason, advice }) => {
    const place = `column "${column}" of row ${rows + row + 1}`;
    throw errors.write_refused({ table: info.name, reason: `${place}: ${reason}`, advice });
  });
  for await (const batch of batches) {
    for (const text of csv.records(batch)) yield { text, rows: rows + batch.numRows };
    rows += batch.numRows;
  }
}

async function importFile(
  source: Source,
  { info, table }: WriteTarget,
  fileId: string,
  { mode, signal }: { readonly mode: WriteMode; readonly signal: AbortSignal },
): Promise<Job> {
  const jobs = await source.jobLimit(signal);
  const places = await jobs.take(1, signal);
  try {
    const job = await source.api
      .call(`${pathOf(source.settings.branch)}/tables/${encodeURIComponent(table.id)}/import-async`, {
        json: {
          dataFileId: Number(fileId),
          // Keboola's own default empties the table first.
          incremental: mode !== "replace",
          delimiter: ",",
          enclosure: '"',
          // Slices have no header.
          columns: info.schema.fields.map((field) => String(field.name)),
        },
        schema: jobSchema,
        what: `the import into table ${table.id}`,
        // A second import would append the rows twice.
        idempotent: mode !== "append",
        signal,
      })
      .catch(startFailed(source, table.id, true));
    return await finished(source, table.id, job, signal);
  } finally {
    places.release();
  }
}

async function finished(source: Source, table: string, job: Job, signal: AbortSignal): Promise<Job> {
  try {
    return await source.api.poll(job, {
      schema: jobSchema,
      what: `job ${job.id}, the import into table ${table}`,
      isDone: (answer) => isDone(answer, table),
      signal,
    });
  } catch (error) {
    const isFailed = error instanceof AgnesError && error.code === errors.import_failed.code;
    if (isFailed || signal.aborted) throw error;
    // Whatever it is, to run it again could write the rows twice.
    const reason = `job ${job.id} cannot be watched: ${(error as Error).message}`;
    throw errors.import_unknown({ table, reason }, { cause: error });
  }
}

function isDone({ id, status, error }: Job, table: string): boolean {
  if (status === "success") return true;
  if (status !== "error" && status !== "terminated" && status !== "cancelled") return false;
  const message = typeof error === "string" ? error : error?.message;
  throw errors.import_failed({ table, job: id, reason: message ?? `it ended with status ${status}` });
}

/** Throws the error of a request that starts a write. */
function startFailed(source: Source, table: string, isUnknown = false): (error: unknown) => never {
  return (error) => {
    const status = statusOf(error);
    const reason = reasonOf(error);
    const cause = { cause: error };
    if (status === 400 || status === 422)
      throw errors.write_refused(
        { table, reason, advice: "Check the table in Keboola, and run it again." },
        cause,
      );
    const { code = "" } = error as { readonly code?: string };
    const isLost = [errors.unavailable.code, "source_answer_invalid", "timed_out"].includes(code);
    if (isUnknown && isLost && status !== 429 && status !== 503)
      throw errors.import_unknown({ table, reason }, cause);
    return writeFailed(source, table)(error);
  };
}
