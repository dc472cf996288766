import { AgnesError } from "../base/mod.ts";
import { openDatabase, quoteIdentifier } from "../duckdb/mod.ts";
import type { WriteOptions, TableInfo } from "../kit/mod.ts";
import { extractPath } from "./format/paths.ts";
import type { ExtractServices, ExtractSource } from "./job/services.ts";
import { findTable } from "./format/extract-state.ts";
import { readExtract } from "./state/read-extract.ts";

/** What `writeTable` is asked to do. */
export interface WriteRequest {
  /** The folder of the extract that is read. */
  readonly directory: string;
  /** The name of the published table that is read. */
  readonly table: string;
  /** The SELECT that gives the rows, over the tables of the extract. Default: all of `table`. */
  readonly sql?: string;
  /** The source that takes the rows. */
  readonly source: ExtractSource;
  /** The table of that source that takes them. */
  readonly into: TableInfo;
  readonly mode: WriteOptions["mode"];
  readonly signal?: AbortSignal;
}

/**
 * Pushes a published table into a source that can `write`, and gives how many rows the source took.
 * @throws `table_unknown`, `table_plan_invalid` when the source cannot write, `rows_lost` when it took other than all
 */
export async function writeTable(services: ExtractServices, request: WriteRequest): Promise<number> {
  const { directory, table: name, source, into, mode } = request;
  const { connector } = source;
  if (connector.write === undefined) {
    const reason = `source ${source.name} cannot write`;
    throw new AgnesError("table_plan_invalid", { table: into.name, reason });
  }
  const state = await readExtract(services.host.files, directory);
  const table = findTable(state, name);
  if (table === undefined) {
    const known = (state?.tables ?? []).map((one) => one.name);
    throw new AgnesError("table_unknown", { table: name, known });
  }
  const signal = request.signal ?? new AbortController().signal;
  await using database = await openDatabase({
    path: extractPath(directory),
    readOnly: true,
    limits: services.limits,
  });
  await using connection = await database.connect();
  const sql = request.sql ?? `SELECT * FROM ${quoteIdentifier(table.name)}`;
  const answer = await connection.stream(sql, { signal });
  let given = 0;
  let finished = false;
  const counted = async function* () {
    for await (const batch of answer.batches) {
      given += batch.numRows;
      yield batch;
    }
    finished = true;
  };
  const { rows } = await connector.write(into, counted(), { mode, signal });
  if (rows !== given || !finished) {
    const yielded = finished ? given : Math.max(given, table.rows);
    throw new AgnesError("rows_lost", { table: into.name, yielded, written: rows, where: source.name });
  }
  return rows;
}
