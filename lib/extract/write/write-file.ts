import { open } from "node:fs/promises";

import { AgnesError, fileError, isAgnesError } from "../../base/mod.ts";
import { copyToParquet, fileRelation, parquetFooter } from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import { columnsOf, type PublishedColumn } from "../schema/column.ts";
import { selectList } from "../schema/select.ts";
import { requestedColumns } from "../plan.ts";
import type { TableContext } from "../services.ts";
import { differences } from "../read/conform.ts";
import { setAsideRows } from "./set-aside.ts";
import { stagingPath, type StagedPart } from "./staged.ts";
import type { WriteTarget } from "./write-parts.ts";
import { checkCount } from "./write-stream.ts";

/** A file chunk whose bytes are on the disk. */
export type LocalChunk = FileChunk & { readonly data: string };

type Columns = readonly Pick<PublishedColumn, "name" | "type">[];

/** Lets DuckDB read a file into one part. */
export async function writeFileChunk(
  context: TableContext,
  chunk: FileChunk,
  number: number,
  target: WriteTarget,
): Promise<StagedPart> {
  const { files } = context.services.host;
  const spooled = typeof chunk.data === "string" ? null : stagingPath(context);
  const path = stagingPath(context);
  try {
    if (spooled !== null) await spoolBytes(spooled, chunk.data as AsyncIterable<Uint8Array>, context.signal);
    const local = { ...chunk, data: spooled ?? (chunk.data as string) };
    const typed = await typedChunk(context, local, number, target.columns);
    const { rows, sizeBytes } = await copyOrSetAside(context, typed.chunk, typed.present, target, path);
    checkCount(context.plan.name, rows, (await parquetFooter(path)).rows, "the footer of the part");
    if (chunk.format === "parquet" && target.condition === null) {
      checkCount(context.plan.name, (await parquetFooter(local.data)).rows, rows, "what DuckDB wrote");
    }
    return { kind: "staged", path, rows, sizeBytes, partition: null, origin: chunk.origin ?? null };
  } catch (error) {
    await files.remove(path).catch(() => {});
    throw error;
  } finally {
    if (spooled !== null) await files.remove(spooled).catch(() => {});
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
  const sql = `SELECT ${selectList(target.columns, present)} FROM ${fileRelation(chunk)}${where}`;
  const options = { signal: context.signal, ordered: target.ordered };
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
  const sniffed = await describe(context, fileRelation(chunk));
  const declared = columnsOf(plan.info.schema);
  const types = new Map([...declared, ...columns].map((column) => [column.name, column.type]));
  const isTyped = chunk.format === "parquet";
  const wanted = sniffed.map(({ name, type }) => ({
    name,
    type: (isTyped ? null : types.get(name)) ?? type,
  }));
  const expected = columnsOf(plan.info.schema, requestedColumns(plan));
  const found = differences(
    wanted.map((column) => ({ ...column, nullable: true })),
    isTyped
      ? expected
      : expected.map((column) => ({ ...column, type: types.get(column.name) ?? column.type })),
    [
      ...declared,
      ...sniffed.filter(({ name }) => types.has(name)).map((column) => ({ ...column, nullable: true })),
    ],
  );
  if (found.length > 0) {
    throw new AgnesError("batch_schema_mismatch", { table: plan.name, batch: number, differences: found });
  }
  const changed = wanted.filter(
    ({ name, type }, at) => type !== sniffed[at]?.type && chunk.types?.[name] === undefined,
  );
  if (changed.length === 0) return { chunk, present: sniffed };
  const overridden = Object.fromEntries(changed.map(({ name, type }) => [name, type]));
  return { chunk: { ...chunk, types: { ...chunk.types, ...overridden } }, present: wanted };
}

async function describe(context: TableContext, relation: string): Promise<Columns> {
  await using connection = await context.database.connect();
  const rows = await connection.rows<{ column_name: string; column_type: string }>(
    `DESCRIBE SELECT * FROM ${relation}`,
    { signal: context.signal },
  );
  return rows.map((row) => ({ name: row.column_name, type: row.column_type }));
}

async function spoolBytes(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      try {
        await handle.writeFile(chunk);
      } catch (error) {
        throw fileError("write", path, error);
      }
    }
  } finally {
    await handle.close();
  }
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
