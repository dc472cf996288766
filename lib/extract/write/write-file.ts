import { AgnesError, isAgnesError, linkedController, reasonOf } from "../../base/mod.ts";
import {
  checkParquetInput,
  openFile,
  parquetFooter,
  readingOf,
  spoolBytes,
  type Connection,
  type OpenFile,
} from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import { differences } from "../read/schema-match.ts";
import { partsDirectory } from "../format/paths.ts";
import { nullableColumns } from "../job/nulled-values.ts";
import { requestedColumns } from "../job/plan.ts";
import { columnsOf } from "../schema/column.ts";
import { folded } from "../schema/folded.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { countBytes } from "./count-bytes.ts";
import { countedIn, discard, type StagedPart } from "./staged.ts";
import { checkCount, writePart } from "./write-part.ts";
import type { WriteTarget } from "./write-target.ts";

/** Copies a file into one part with DuckDB, in the order of its rows. */
export async function writeFileChunk(
  job: TableJob,
  chunk: FileChunk,
  number: number,
  target: WriteTarget,
): Promise<StagedPart> {
  const { plan, signal } = job;
  const { host } = job.run.services;
  const directory = partsDirectory(job.run.directory, plan.name);
  const spooled = await spoolBytes(host, chunk, directory, signal);
  await using connection = await job.run.database.connect();
  try {
    const isParquet = chunk.format === "parquet";
    if (isParquet) await checkParquetInput(host.files, spooled.chunk.data);
    const types = isParquet ? {} : { types: declaredTypes(job) };
    const reading = await readingOf(connection, spooled.chunk, { ...types, signal });
    const readable = { ...spooled.chunk, reading: reading ?? { format: chunk.format, columns: [] } };
    const { origin, label = "a file" } = chunk;
    const into = {
      ...target,
      origin,
      largeRowGroups: isParquet,
      name: origin ?? label,
      counted: countedIn(chunk, number),
    };
    const copy = async (onBytesScanned: (bytes: number) => void) => {
      const options = { connection, directory, signal, isUnchecked: true, onBytesScanned };
      await using file = await openFile(readable, options);
      if (!file.isEmpty) refuseDifferences(job, file, number, isParquet);
      return await copyChecked(job, connection, file, into);
    };
    const part = await countBytes(job, connection, spooled.chunk.data, copy);
    if (!isParquet) return part;
    try {
      const sourceRows = (await parquetFooter(host.files, spooled.chunk.data)).rows;
      if (target.condition !== null) return { ...part, rowsRead: sourceRows - part.rejected };
      checkCount(plan.name, sourceRows, part.rows + part.rejected, "what DuckDB wrote and the quarantine");
      return part;
    } catch (error) {
      await discard(job.run, [part]);
      throw error;
    }
  } finally {
    await spooled.remove().catch(() => {});
  }
}

/** The target of the part of one file. */
type FileTarget = WriteTarget & {
  readonly origin: string | undefined;
  readonly largeRowGroups: boolean;
  /** The name of the file in errors. */
  readonly name: string;
  /** The scope of its row numbers; see `StagedPart.counted`. */
  readonly counted: string;
};

/** The part of a file and the number of its quarantined rows. */
type FilePart = StagedPart & { readonly rejected: number };

/**
 * Copies a file and checks it concurrently if it is unchecked. Errors of the check take precedence over those of
 * DuckDB.
 */
async function copyChecked(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
): Promise<FilePart> {
  if (file.check === undefined) return copyFile(job, connection, file, target);
  using stop = linkedController(job.signal);
  const checking = file.check().then(
    (checked) => {
      if (checked !== file) stop.abort();
      return checked;
    },
    (error: unknown) => {
      stop.abort();
      throw error;
    },
  );
  const [checked, copied] = await Promise.allSettled([
    checking,
    copySelect({ ...job, signal: stop.signal }, connection, file, target),
  ]);
  if (checked.status === "fulfilled" && checked.value === file) {
    if (copied.status === "fulfilled") return { ...copied.value, rejected: 0 };
    return await copyFitting(job, connection, file, target, copied.reason);
  }
  if (copied.status === "fulfilled") await discard(job.run, [copied.value]);
  if (checked.status === "rejected") throw checked.reason;
  await using other = checked.value;
  return await copyFile(job, connection, other, target);
}

async function copyFile(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
): Promise<FilePart> {
  try {
    return { ...(await copySelect(job, connection, file, target)), rejected: 0 };
  } catch (error) {
    return copyFitting(job, connection, file, target, error);
  }
}

/** Copies only the valid rows of a file after its copy failed, and quarantines the others. */
async function copyFitting(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
  error: unknown,
): Promise<FilePart> {
  if (!isRowError(error)) throw error;
  if (job.nulled !== undefined && error.code !== "file_row_invalid")
    return copyNulled(job, connection, file, target, error);
  if (target.quarantine === null) throw withTable(job, error);
  const { select, rejected } = await file.separateRejected(connection);
  const { counted, origin, name } = target;
  const of = origin === undefined ? {} : { origin };
  let count = 0;
  for await (const { widerThan, ...row } of rejected) {
    if (widerThan !== undefined && mayWiden(job)) {
      const { column, value } = row;
      const details = { file: name, line: null, column, value, type: widerThan };
      throw new AgnesError("file_value_invalid", details, { cause: error });
    }
    target.quarantine.add({ ...row, ...of }, counted);
    count += 1;
  }
  const sorted = { present: file.present, select, explain: (cause: unknown) => file.explain(cause) };
  return { ...(await copySelect(job, connection, sorted, target)), rejected: count };
}

/** Copies a file after its copy failed, with the values that do not fit as nulls. */
async function copyNulled(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
  error: AgnesError,
): Promise<FilePart> {
  const { select, misfits } = await file.setMisfitsToNull(connection);
  if (misfits.length === 0) throw withTable(job, error);
  const published = new Set(target.columns.map(({ name }) => folded(name)));
  const nullable = new Set([...nullableColumns(job.plan)].map(folded));
  const counted = misfits.filter(({ column }) => published.has(folded(column)));
  for (const { column, type, example, widens } of counted) {
    const isWider = widens !== undefined && mayWiden(job);
    if (nullable.has(folded(column)) && !isWider) continue;
    const value = isWider ? widens : example;
    const details = { file: target.name, line: null, column, value, type };
    throw new AgnesError("file_value_invalid", details, { cause: error });
  }
  const nulled = { present: file.present, select, explain: (cause: unknown) => file.explain(cause) };
  const part = await copySelect(job, connection, nulled, target);
  for (const { column, type, values } of counted) job.nulled!.add(column, type, values);
  return { ...part, rejected: 0 };
}

/** Whether the table can still be described again from all of its values, to widen a column. */
function mayWiden({ isRedescribed, plan, run: { source } }: TableJob): boolean {
  const canRedescribe = plan.columnsFrom !== "read" && source.connector.redescribe !== undefined;
  return canRedescribe && isRedescribed !== true && plan.schemaPolicy === "evolve";
}

async function copySelect(
  job: TableJob,
  connection: Connection,
  file: Pick<OpenFile, "present" | "select" | "retry" | "explain">,
  target: FileTarget,
): Promise<StagedPart> {
  const { condition, columns, origin = null, largeRowGroups } = target;
  const where = condition === null ? "" : ` WHERE ${condition}`;
  const counted = condition === null ? target.counted : undefined;
  const options = { ordered: true, largeRowGroups, connection, target, origin, counted };
  for (;;) {
    const sql = `SELECT ${selectList(columns, file.present)} FROM (${file.select})${where}`;
    try {
      return await writePart(job, { kind: "sql", sql }, options);
    } catch (error) {
      if (job.signal.aborted || (await file.retry?.(error)) !== true) throw await file.explain(error);
    }
  }
}

/** Whether an error is about values or records of a file. */
function isRowError(error: unknown): error is AgnesError {
  return (
    isAgnesError(error, "file_value_invalid") ||
    isAgnesError(error, "file_row_invalid") ||
    (isAgnesError(error, "duckdb_failed") &&
      /conver|cast|could not parse|out of range|invalid unicode/i.test(reasonOf(error)))
  );
}

function withTable({ plan }: TableJob, error: AgnesError): AgnesError {
  if (error.code !== "duckdb_failed") return error;
  return new AgnesError("bad_value", { table: plan.name, reason: reasonOf(error) }, { cause: error });
}

/** The declared types, for a file without a reading. */
function declaredTypes({ plan }: TableJob): Readonly<Record<string, string>> {
  return Object.fromEntries(columnsOf(plan.info.schema).map(({ name, type }) => [name, type]));
}

/** @throws `batch_schema_mismatch` */
export function refuseDifferences(
  { plan }: TableJob,
  file: Pick<OpenFile, "present">,
  number: number,
  isTyped: boolean,
): void {
  const declared = columnsOf(plan.info.schema);
  const actual = new Map(file.present.map((column) => [column.name, column.type]));
  // Types of text files come from the declaration, and invalid values fail on their own.
  const expected = columnsOf(plan.info.schema, requestedColumns(plan)).map((column) =>
    isTyped ? column : { ...column, type: actual.get(column.name) ?? column.type },
  );
  const present = file.present.map((column) => ({ ...column, nullable: true }));
  const found = differences(present, expected, declared);
  if (found.length > 0) {
    throw new AgnesError("batch_schema_mismatch", { table: plan.name, batch: number, differences: found });
  }
}
