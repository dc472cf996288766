import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";

import { AgnesError, messageOf } from "../../base/mod.ts";
import { createBatchWriter, type BatchWriter } from "../arrow/to-duckdb.ts";
import { writeAllNull } from "../arrow/scratch.ts";
import { quoteIdentifier, quoteLiteral } from "../sql.ts";
import type { Feed } from "./feed.ts";
import { Scan, type StreamSource } from "./scan.ts";

/** The name of the table function. Its argument selects the source. */
const SCAN_FUNCTION = "agnes_scan";

/** DuckDB's vector size. */
const VECTOR_ROWS = 2048;
const ZEROS = new ArrayBuffer(VECTOR_ROWS * 4);

/** A source that SQL refers to by id. */
export interface RegisteredSource {
  readonly source: StreamSource;
  readonly writer: BatchWriter;
  /** The hidden column; see `relationOf`. */
  readonly waitColumn: string;
  /** The number of DuckDB threads that read batches in parallel; 1 keeps the order of rows. */
  readonly threads: number;
}

/** Prepares a source. @throws `type_unsupported` */
export function prepareSource(source: StreamSource, threads: number): RegisteredSource {
  const taken = new Set(source.schema.fields.map((field) => field.name.toLowerCase()));
  let waitColumn = "agnes_wait";
  while (taken.has(waitColumn)) waitColumn += "_";
  return { source, threads, waitColumn, writer: createBatchWriter(source.schema) };
}

/**
 * Returns the SQL that reads a source.
 *
 * The function must return immediately. If there is no batch, it returns one row with a wait time in the hidden column:
 * DuckDB's thread sleeps that long, interruptibly, and drops the row, while JavaScript continues. A negative time drops
 * the row immediately.
 */
export function relationOf(id: string, { waitColumn }: RegisteredSource): string {
  const wait = quoteIdentifier(waitColumn);
  return (
    `(SELECT * EXCLUDE (${wait}) FROM ${SCAN_FUNCTION}(${quoteLiteral(id)}) ` +
    `WHERE CASE WHEN ${wait} > 0 THEN sleep_ms(${wait}) IS NOT NULL ELSE ${wait} = 0 END)`
  );
}

/** Returns the SQL for statements that are only bound or explained, without the waiting. */
export function plannedRelationOf(id: string, { waitColumn }: RegisteredSource): string {
  return `(SELECT * EXCLUDE (${quoteIdentifier(waitColumn)}) FROM ${SCAN_FUNCTION}(${quoteLiteral(id)}))`;
}

interface Bound extends RegisteredSource {
  readonly feed: Feed;
  readonly idleMsMax: () => number;
}

interface ScanState {
  readonly scan: Scan;
  /** The column of each vector of a chunk; `null` for the hidden one. */
  readonly columns: readonly (number | null)[];
  /** The positions of these columns among the requested ones. */
  readonly positions: readonly number[];
}

/** The services that the function uses from its database. */
export interface ScanHost {
  readonly sources: ReadonlyMap<string, RegisteredSource>;
  readonly feedOf: (connectionId: number) => Feed;
  /** Returns the maximum time that a thread may sleep while a source has no rows, so that others can run. */
  readonly idleMsMax: () => number;
}

/** Registers `agnes_scan(id)` on the whole instance. DuckDB ignores a second registration. */
export function registerScanFunction(connection: native.Connection, host: ScanHost): void {
  const table = native.create_table_function();
  native.table_function_set_name(table, SCAN_FUNCTION);
  native.table_function_add_parameter(table, duckdb.VARCHAR.toLogicalType().logical_type);
  native.table_function_supports_projection_pushdown(table, true);
  native.table_function_set_bind(table, (info) => bind(info, host));
  native.table_function_set_init(table, init);
  native.table_function_set_function(table, fill);
  native.register_table_function(connection, table);
}

function bind(info: native.TableFunctionBindInfo, host: ScanHost): void {
  const registered = host.sources.get(native.get_varchar(native.bind_get_parameter(info, 0)));
  if (registered === undefined) return native.bind_set_error(info, "the source is closed");
  const { source, writer, waitColumn, threads } = registered;
  for (const [index, field] of source.schema.fields.entries()) {
    native.bind_add_result_column(info, field.name, writer.types[index]!.toLogicalType().logical_type);
  }
  native.bind_add_result_column(info, waitColumn, duckdb.INTEGER.toLogicalType().logical_type);
  if (source.rows !== undefined) native.bind_set_cardinality(info, source.rows, false);
  const context = native.table_function_get_client_context(info);
  const feed = host.feedOf(native.client_context_get_connection_id(context));
  feed.bound += 1;
  if (threads > 1) feed.parallel = true;
  native.bind_set_bind_data(info, { ...registered, feed, idleMsMax: host.idleMsMax } satisfies Bound);
}

function init(info: native.TableFunctionInitInfo): void {
  const { source, threads, feed } = native.init_get_bind_data(info) as Bound;
  native.init_set_max_threads(info, threads);
  const columnCount = source.schema.fields.length;
  const columns = Array.from({ length: native.init_get_column_count(info) }, (_, index) => {
    const column = native.init_get_column_index(info, index);
    return column < columnCount ? column : null;
  });
  const requested = columns.filter((column) => column !== null);
  const scan = new Scan(
    source,
    requested.map((column) => source.schema.fields[column]!.name),
    feed.notify,
  );
  feed.add(scan);
  let position = 0;
  const positions = columns.map((column) => (column === null ? -1 : position++));
  native.init_set_init_data(info, { scan, columns, positions } satisfies ScanState);
}

function fill(info: native.TableFunctionInfo, chunk: native.DataChunk): void {
  const { feed, writer, idleMsMax } = native.function_get_bind_data(info) as Bound;
  const { scan, columns, positions } = native.function_get_init_data(info) as ScanState;
  feed.lastRequestMs = performance.now();
  const step = scan.next(VECTOR_ROWS);
  switch (step.kind) {
    case "end":
      native.data_chunk_set_size(chunk, 0);
      feed.notify();
      return;
    case "failed":
      native.function_set_error(info, step.message);
      feed.notify();
      return;
    case "idle":
      return fillIdle(chunk, columns, Math.min(step.waitMs, idleMsMax()));
    case "rows":
      native.data_chunk_set_size(chunk, step.count);
      try {
        for (const [index, column] of columns.entries()) {
          const vector = native.data_chunk_get_vector(chunk, index);
          if (column === null) native.copy_data_to_vector(vector, 0, ZEROS, 0, step.count * 4);
          else writer.write(vector, column, step.columns.data[positions[index]!]!, step.from, step.count);
        }
      } catch (error) {
        scan.fail(
          error instanceof AgnesError ? error : new AgnesError("internal", { what: messageOf(error) }),
        );
        native.function_set_error(info, messageOf(error));
        feed.notify();
      }
  }
}

function fillIdle(chunk: native.DataChunk, columns: readonly (number | null)[], waitMs: number): void {
  native.data_chunk_set_size(chunk, 1);
  for (const [index, column] of columns.entries()) {
    const vector = native.data_chunk_get_vector(chunk, index);
    if (column !== null) writeAllNull(vector, 1);
    else native.copy_data_to_vector(vector, 0, new Int32Array([waitMs]).buffer, 0, 4);
  }
}
