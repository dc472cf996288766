import { dirname } from "node:path";

import { AgnesError, isAgnesError, linkedController, reasonOf } from "../../base/mod.ts";
import {
  checkParquetInput,
  copyToParquet,
  openFile,
  parquetFooter,
  readingOf,
  spoolBytes,
  type Connection,
  type CopyResult,
  type OpenFile,
} from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import { differences } from "../read/conform.ts";
import { requestedColumns } from "../job/plan.ts";
import { columnsOf } from "../schema/column.ts";
import { selectList } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";
import { countBytes } from "./count-bytes.ts";
import { countedIn, finalOf, hashSumOf, stagingPath, type StagedPart } from "./staged.ts";
import type { WriteTarget } from "./write-target.ts";
import { checkCount } from "./write-stream.ts";

/** Lets DuckDB read a file into one part; its rows keep their order. */
export async function writeFileChunk(
  job: TableJob,
  chunk: FileChunk,
  number: number,
  target: WriteTarget,
): Promise<StagedPart> {
  const { plan, signal } = job;
  const { services } = job.run;
  const { files } = services.host;
  const path = stagingPath(job);
  const directory = dirname(path);
  const spooled = await spoolBytes(services.host, chunk, directory, signal);
  await using connection = await job.run.database.connect();
  try {
    if (chunk.format === "parquet") await checkParquetInput(spooled.chunk.data);
    const types = chunk.format === "parquet" ? {} : { types: declaredTypes(job) };
    const reading = await readingOf(connection, spooled.chunk, { ...types, signal });
    const readable = { ...spooled.chunk, reading: reading ?? { format: chunk.format, columns: [] } };
    const copy = async (onBytesScanned: (bytes: number) => void) => {
      const options = { connection, directory, signal, isUnchecked: true, onBytesScanned };
      await using file = await openFile(readable, options);
      if (!file.isEmpty) refuseDifferences(job, file, number, chunk.format === "parquet");
      return await copyChecked(
        job,
        connection,
        file,
        { ...target, origin: chunk.origin, counted: countedIn(chunk, number) },
        path,
      );
    };
    const copied = await countBytes(job, connection, spooled.chunk.data, copy);
    const { rows, sizeBytes, rejected } = copied;
    checkCount(plan.name, rows, (await parquetFooter(path)).rows, "the footer of the part");
    if (chunk.format === "parquet" && target.condition === null) {
      const given = (await parquetFooter(spooled.chunk.data)).rows;
      checkCount(plan.name, given, rows + rejected, "what DuckDB wrote and the quarantine");
    }
    const origins = { partition: null, origin: chunk.origin ?? null };
    const counted = target.condition === null ? { counted: countedIn(chunk, number) } : {};
    const figures = { ...hashSumOf(copied), ...(await finalOf(job.run, path, copied)) };
    return { kind: "staged", path, rows, sizeBytes, rejected, ...origins, ...counted, ...figures };
  } catch (error) {
    await files.remove(path).catch(() => {});
    throw error;
  } finally {
    await spooled.remove().catch(() => {});
  }
}

/** What the part of one file is to hold, and what the file is called. */
type FileTarget = WriteTarget & {
  readonly origin: string | undefined;
  /** What its rows are counted in. */
  readonly counted: string;
};

/** What was copied of a file, and how many of its rows went to the quarantine. */
type CopiedFile = CopyResult & { readonly rejected: number };

/** Copies a file, and checks it meanwhile if it was not checked. What the check says goes before what DuckDB says. */
async function copyChecked(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
  path: string,
): Promise<CopiedFile> {
  if (file.check === undefined) return copyFile(job, connection, file, target, path);
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
    copySelect({ ...job, signal: stop.signal }, connection, file, target, path),
  ]);
  if (checked.status === "rejected") throw checked.reason;
  if (checked.value !== file) {
    await using other = checked.value;
    await job.run.services.host.files.remove(path).catch(() => {});
    return await copyFile(job, connection, other, target, path);
  }
  if (copied.status === "fulfilled") return { ...copied.value, rejected: 0 };
  return await copyFitting(job, connection, file, target, path, copied.reason);
}

async function copyFile(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
  path: string,
): Promise<CopiedFile> {
  try {
    return { ...(await copySelect(job, connection, file, target, path)), rejected: 0 };
  } catch (error) {
    return copyFitting(job, connection, file, target, path, error);
  }
}

/** Copies the rows that fit after not all did, if there is a quarantine for the others. */
async function copyFitting(
  job: TableJob,
  connection: Connection,
  file: OpenFile,
  target: FileTarget,
  path: string,
  error: unknown,
): Promise<CopiedFile> {
  if (!isMisfit(error)) throw error;
  if (target.quarantine === null) throw withTable(job, error);
  const { select, rejected } = await file.sortOut(connection);
  const { counted, origin } = target;
  const of = origin === undefined ? {} : { origin };
  let count = 0;
  for await (const { widerThan, ...row } of rejected) {
    if (widerThan !== undefined && mayWiden(job)) {
      const { column, value } = row;
      const details = { file: origin ?? "a file", line: null, column, value, type: widerThan };
      throw new AgnesError("file_value_invalid", details, { cause: error });
    }
    target.quarantine.add({ ...row, ...of }, counted);
    count += 1;
  }
  const sorted = { present: file.present, select, explain: (cause: unknown) => file.explain(cause) };
  return { ...(await copySelect(job, connection, sorted, target, path)), rejected: count };
}

/** Whether a column may get a wider type yet, by a description of the table that looks at all of its values. */
function mayWiden({ isRedescribed, plan, run: { source } }: TableJob): boolean {
  const canRedescribe = plan.columnsFrom !== "read" && source.connector.redescribe !== undefined;
  return canRedescribe && isRedescribed !== true && plan.schemaPolicy === "evolve";
}

async function copySelect(
  job: TableJob,
  connection: Connection,
  file: Pick<OpenFile, "present" | "select" | "retry" | "explain">,
  target: WriteTarget,
  path: string,
): Promise<CopyResult> {
  const { signal } = job;
  const where = target.condition === null ? "" : ` WHERE ${target.condition}`;
  const sum = target.rowHash === null ? {} : { sumOf: target.rowHash };
  const options = { signal, ordered: true, connection, hashed: target.isFinal, ...sum };
  for (;;) {
    const sql = `SELECT ${selectList(target.columns, file.present)} FROM (${file.select})${where}`;
    try {
      return await copyToParquet(job.run.database, { kind: "sql", sql }, path, options);
    } catch (error) {
      if (signal.aborted || (await file.retry?.(error)) !== true) throw await file.explain(error);
    }
  }
}

/** Whether an error is about values or records that a file holds. */
function isMisfit(error: unknown): error is AgnesError {
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

/** The declared types, for a file that comes without a reading. */
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
  const given = new Map(file.present.map((column) => [column.name, column.type]));
  // The types of texts were chosen, and what does not fit them fails by itself.
  const expected = columnsOf(plan.info.schema, requestedColumns(plan)).map((column) =>
    isTyped ? column : { ...column, type: given.get(column.name) ?? column.type },
  );
  const present = file.present.map((column) => ({ ...column, nullable: true }));
  const found = differences(present, expected, declared);
  if (found.length > 0) {
    throw new AgnesError("batch_schema_mismatch", { table: plan.name, batch: number, differences: found });
  }
}
