import { lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";

import {
  AgnesError,
  quoteIdentifier,
  quoteLiteral,
  table as tableInfo,
  type ConnectContext,
  type TableInfo,
} from "agnes/kit";

import { errors } from "./errors.ts";
import type { ProgramOptions } from "./options.ts";
import type { ProgramResult } from "./result.ts";

type Engine = ConnectContext<ProgramOptions, Record<never, never>>["duckdb"];

/** The name of the database in SQL. */
const DATABASE = "extract";
const FILES_MAX = 1_000_000;

/** The extract that a program wrote. It is read in a DuckDB instance that can read its folder only. */
export class ProgramExtract {
  readonly #engine: Engine;
  readonly #directory: string;

  constructor(engine: Engine, directory: string) {
    this.#engine = engine;
    this.#directory = directory;
  }

  get path(): string {
    return join(this.#directory, "extract.duckdb");
  }

  /** Returns the size of all files in bytes. @throws `program/extract_invalid` for links, pipes and devices */
  async checkedSize(): Promise<number> {
    let sizeBytes = 0;
    const todo = [this.#directory];
    let seen = 0;
    for (let folder = todo.pop(); folder !== undefined; folder = todo.pop()) {
      for (const name of await readdir(folder)) {
        const path = join(folder, name);
        const stats = await lstat(path).catch(() => null);
        seen += 1;
        if (seen > FILES_MAX) throw invalid("it has too many files");
        if (stats === null) continue;
        if (stats.isDirectory()) todo.push(path);
        else if (stats.isFile()) sizeBytes += stats.size;
        else throw invalid(`${JSON.stringify(name)} is a link, a pipe or a device, and not a file`);
      }
    }
    return sizeBytes;
  }

  /** Lists the tables of `_meta`, and those that are wanted. @throws `program/extract_invalid` */
  async tables(
    wanted: ProgramOptions["tables"],
    result: ProgramResult,
    signal: AbortSignal,
  ): Promise<readonly TableInfo[]> {
    const found = new Map<string, TableInfo>();
    for (const { name, description, rows } of await this.#meta(signal)) {
      const known = Object.hasOwn(wanted, name) ? wanted[name] : undefined;
      const options = {
        ...(known && { primaryKey: known.primaryKey }),
        ...(known?.cursor !== undefined && { cursor: known.cursor }),
        ...(description !== null && { description }),
        ...(rows !== null && { estimatedRows: rows }),
      };
      found.set(name, await this.#describe(name, options, signal));
    }
    for (const name of Object.keys(wanted)) {
      if (found.has(name)) continue;
      found.set(name, tableInfo(name, {}, { problem: errors.table_missing({ table: name }) }));
    }
    for (const name of Object.keys(result.tables)) {
      const problem = failureOf(result, name);
      if (problem !== null) found.set(name, tableInfo(name, {}, { problem }));
    }
    return [...found.values()];
  }

  /** Runs a SELECT on the extract. */
  query(sql: string, options: { readonly signal: AbortSignal; readonly batchRows?: number }) {
    return this.#engine.query(sql, {
      ...options,
      attach: { [DATABASE]: this.path },
      directory: this.#directory,
    });
  }

  async #meta(signal: AbortSignal): Promise<readonly Meta[]> {
    const stats = await lstat(this.path).catch(() => null);
    if (stats === null) throw invalid("there is no extract.duckdb");
    try {
      const found = await this.#rows(
        `SELECT column_name AS name FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_oid, database_name)
         WHERE database_name = ${quoteLiteral(DATABASE)} AND schema_name = 'main' AND table_name = '_meta'`,
        signal,
      );
      if (found.length === 0) throw invalid("it has no table _meta");
      const columns = new Set(found.map(({ name }) => String(name).toLowerCase()));
      if (!columns.has("table_name")) throw invalid("its table _meta has no column table_name");
      const column = (name: string, type: string) => (columns.has(name) ? `meta.${name}::${type}` : "NULL");
      const rows = await this.#rows(
        `SELECT meta.table_name::VARCHAR AS name, ${column("description", "VARCHAR")} AS description,
           ${column("rows", "BIGINT")} AS rows, coalesce(${column("query_mode", "VARCHAR")}, 'local') AS query_mode
         FROM ${fromOf("_meta")} AS meta`,
        signal,
      );
      return rows.map(metaOf);
    } catch (error) {
      if (!isFailure(error)) throw error;
      const reason = reasonOf(error);
      throw OTHER_VERSION.test(reason) ? await this.#otherVersion(error, signal) : invalid(reason, error);
    }
  }

  /** The error for a file of a newer DuckDB, whose header has its version. */
  async #otherVersion(cause: AgnesError, signal: AbortSignal): Promise<AgnesError> {
    const { batches } = await this.#engine.query("SELECT version() AS version", { signal });
    let own = "";
    for await (const batch of batches) for (const row of batch) own = String(row.toJSON()["version"]);
    const [, major, minor] = /^v(\d+)\.(\d+)/.exec(own) ?? [];
    const written = await writerOf(this.path);
    const writer = written === null ? "a newer version of DuckDB" : `DuckDB ${written}`;
    const reason = `${writer} wrote extract.duckdb, and Agnes reads files of DuckDB ${own} or older`;
    const advice = `Write it with DuckDB ${major}.${minor}: \`pip install 'duckdb==${major}.${minor}.*'\` for a program in Python.`;
    return errors.extract_invalid({ reason, advice }, { cause });
  }

  async #rows(sql: string, signal: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const rows: Readonly<Record<string, unknown>>[] = [];
    const { batches } = await this.query(sql, { signal });
    for await (const batch of batches) for (const row of batch) rows.push(row.toJSON());
    return rows;
  }

  async #describe(
    name: string,
    options: Parameters<typeof tableInfo>[2],
    signal: AbortSignal,
  ): Promise<TableInfo> {
    try {
      const { schema, batches } = await this.query(`SELECT * FROM ${fromOf(name)} LIMIT 0`, { signal });
      for await (const _batch of batches);
      return tableInfo(name, schema, options);
    } catch (error) {
      if (!isFailure(error)) throw error;
      const reason = reasonOf(error);
      return tableInfo(name, {}, { problem: errors.table_unreadable({ table: name, reason }) });
    }
  }
}

const OTHER_VERSION = /\bdatabase file with version number\b/;

/** The version of DuckDB that wrote a file, such as `v2.0.1`; null if its header has none. */
async function writerOf(path: string): Promise<string | null> {
  const file = await open(path);
  try {
    const { buffer } = await file.read({ buffer: new Uint8Array(HEADER_BYTES), position: 0 });
    return /v\d+\.\d+\.\d+/.exec(new TextDecoder("latin1").decode(buffer))?.[0] ?? null;
  } finally {
    await file.close();
  }
}

const HEADER_BYTES = 128;

/** The failure of a table that a program reported. */
export function failureOf({ tables }: ProgramResult, table: string): AgnesError | null {
  const reason = Object.hasOwn(tables, table) ? tables[table]!.error : undefined;
  return reason === undefined ? null : errors.table_failed({ table, reason });
}

/** The name of a table of an extract in SQL. */
export function fromOf(table: string): string {
  return [DATABASE, "main", table].map((name) => quoteIdentifier(name)).join(".");
}

interface Meta {
  readonly name: string;
  readonly description: string | null;
  readonly rows: number | null;
}

const MODES = ["local", "materialized"];

function metaOf(row: Readonly<Record<string, unknown>>): Meta {
  const { name, description, rows, query_mode: mode } = row;
  if (typeof name !== "string" || name === "") throw invalid("a row of _meta has no table_name");
  if (!MODES.includes(mode as string))
    throw invalid(`the query_mode of the table ${JSON.stringify(name)} is neither local nor materialized`);
  return {
    name,
    description: typeof description === "string" && description !== "" ? description : null,
    rows: rows == null ? null : Number(rows),
  };
}

function isFailure(error: unknown): error is AgnesError {
  return error instanceof AgnesError && (error.code === "duckdb_failed" || error.code === "file_unreadable");
}

function reasonOf(error: AgnesError): string {
  const { reason } = error.details as { readonly reason?: unknown };
  return (typeof reason === "string" ? reason : error.message)
    .split(/\n\s*\n|\nLINE /)[0]!
    .replaceAll("\n", " ");
}

function invalid(reason: string, cause?: unknown): AgnesError {
  return errors.extract_invalid({ reason }, cause === undefined ? {} : { cause });
}
