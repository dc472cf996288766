import { dirname } from "node:path";

import { AgnesError, isAgnesError } from "../../base/mod.ts";
import {
  checkParquetInput,
  copyToParquet,
  fileRelation,
  parquetFooter,
  spoolBytes,
} from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import { columnsOf, type PublishedColumn } from "../schema/column.ts";
import { selectList } from "../schema/select.ts";
import { requestedColumns } from "../plan.ts";
import type { TableContext } from "../services.ts";
import { differences } from "../read/conform.ts";
import { localRelation, typesOf, type Columns, type LocalChunk } from "./local-chunk.ts";
import { setAsideRows } from "./set-aside.ts";
import { stagingPath, type StagedPart } from "./staged.ts";
import type { WriteTarget } from "./write-parts.ts";
import { checkCount } from "./write-stream.ts";

/** The names of a CSV file's columns show in few rows. */
const FIRST_LOOK = { sampleRows: 2048 };
/** No type of DuckDB: whatever comes is cast. */
const UNKNOWN = "?";

/** Lets DuckDB read a file into one part. */
export async function writeFileChunk(
  context: TableContext,
  chunk: FileChunk,
  number: number,
  target: WriteTarget,
): Promise<StagedPart> {
  const { host } = context.services;
  const path = stagingPath(context);
  const spooled = await spoolBytes(host, chunk, dirname(path), context.signal);
  const local = spooled.chunk;
  try {
    if (local.format === "parquet") await checkParquetInput(local.data);
    const typed = await typedChunk(context, local, number, target.columns);
    const { rows, sizeBytes } = await copyOrSetAside(context, typed.chunk, typed.present, target, path);
    checkCount(context.plan.name, rows, (await parquetFooter(path)).rows, "the footer of the part");
    if (chunk.format === "parquet" && target.condition === null) {
      checkCount(context.plan.name, (await parquetFooter(local.data)).rows, rows, "what DuckDB wrote");
    }
    return { kind: "staged", path, rows, sizeBytes, partition: null, origin: chunk.origin ?? null };
  } catch (error) {
    await host.files.remove(path).catch(() => {});
    throw error;
  } finally {
    await spooled.remove().catch(() => {});
  }
}

async function copyOrSetAside(
  context: TableContext,
  chunk: LocalChunk,
  present: Columns,
  target: WriteTarget,
  path: string,
): Promise<{ rows: number; sizeBytes: number }> {
  const where = target.condition === null ? "" : ` WHERE ${target.condition}`;
  const sql = `SELECT ${selectList(target.columns, present)} FROM ${localRelation(chunk, present)}${where}`;
  const options = { signal: context.signal, ordered: true };
  try {
    return await copyToParquet(context.database, { kind: "sql", sql }, path, options);
  } catch (error) {
    if (!isValueError(error)) throw error;
    if (target.quarantine === null) {
      const reason = reasonOf(error);
      throw new AgnesError("bad_value", { table: context.plan.name, reason }, { cause: error });
    }
    const cleaned = await setAsideRows(context, chunk, present, target);
    return copyToParquet(context.database, { kind: "sql", sql: cleaned }, path, options);
  }
}

/**
 * Gives a chunk the declared types where DuckDB sniffed others, so that `007` stays text when text was declared.
 * @throws `batch_schema_mismatch`
 */
async function typedChunk(
  context: TableContext,
  chunk: LocalChunk,
  number: number,
  columns: readonly PublishedColumn[],
): Promise<{ readonly chunk: LocalChunk; readonly present: Columns }> {
  const { plan } = context;
  const declared = columnsOf(plan.info.schema);
  const { types: given = {}, ...plain } = chunk;
  const sniffed = await describe(context, fileRelation(chunk.format === "csv" ? chunk : plain, FIRST_LOOK));
  if (chunk.format === "parquet") {
    refuseDifferences(context, sniffed, declared, number, true);
    return { chunk: plain, present: sniffed };
  }
  const types = new Map([...declared, ...columns].map((column) => [column.name, column.type]));
  const wanted = sniffed.map(({ name, type }) => ({ name, type: given[name] ?? types.get(name) ?? type }));
  refuseDifferences(context, wanted, declared, number, false);
  if (chunk.format === "csv") {
    const changed = wanted.filter(({ type }, at) => type !== sniffed[at]?.type);
    const told = { ...given, ...typesOf(changed) };
    const chunkTold = Object.keys(told).length === 0 ? plain : { ...plain, types: told };
    // The reader sniffs more rows than this look did and may find other types for those it was not told.
    return { chunk: chunkTold, present: wanted.map(({ name }) => ({ name, type: told[name] ?? UNKNOWN })) };
  }
  // A key that the first rows do not have may still come.
  const had = new Set(wanted.map((column) => column.name));
  const late = columnsOf(plan.info.schema, requestedColumns(plan)).filter(({ name }) => !had.has(name));
  return { chunk: plain, present: [...wanted, ...late] };
}

/** Types count only where the file has them: a CSV file has texts, and those that do not fit fail by themselves. */
function refuseDifferences(
  { plan }: TableContext,
  wanted: Columns,
  declared: readonly PublishedColumn[],
  number: number,
  isTyped: boolean,
): void {
  const given = new Map(wanted.map((column) => [column.name, column.type]));
  const expected = columnsOf(plan.info.schema, requestedColumns(plan)).map((column) =>
    isTyped ? column : { ...column, type: given.get(column.name) ?? column.type },
  );
  const present = wanted.map((column) => ({ ...column, nullable: true }));
  const found = differences(present, expected, declared);
  if (found.length > 0) {
    throw new AgnesError("batch_schema_mismatch", { table: plan.name, batch: number, differences: found });
  }
}

async function describe(context: TableContext, relation: string): Promise<Columns> {
  await using connection = await context.database.connect();
  return await connection.describe(`SELECT * FROM ${relation}`, { signal: context.signal });
}

function isValueError(error: unknown): boolean {
  return /conver|cast|could not parse|out of range|invalid (input|unicode)|not in range/i.test(
    reasonOf(error),
  );
}

function reasonOf(error: unknown): string {
  if (!isAgnesError(error)) return String(error);
  const details = error.details as { readonly reason?: string };
  return details.reason ?? error.message;
}
