import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";

import { AgnesError, messageOf } from "../../base/mod.ts";
import { createBatchWriter, type BatchWriter } from "../arrow/to-duckdb.ts";
import { writeAllNull } from "../arrow/scratch.ts";
import { quoteIdentifier, quoteLiteral } from "../sql.ts";
import type { Feed } from "./feed.ts";
import { Scan, type StreamSource } from "./scan.ts";

/** The name of the one table function; its argument says which source. */
const SCAN_FUNCTION = "agnes_scan";

/** DuckDB's vector size. */
const VECTOR_ROWS = 2048;
const ZEROS = new ArrayBuffer(VECTOR_ROWS * 4);

/** A source under the id by which SQL names it. */
export interface RegisteredSource {
  readonly source: StreamSource;
  readonly writer: BatchWriter;
  /** The hidden column; see `relationOf`. */
  readonly waitColumn: string;
  /** Threads of DuckDB that may take batches at once; one keeps the order of rows. */
  readonly threads: number;
}

/** Prepares a source; throws `type_unsupported`. */
export function prepareSource(source: StreamSource, threads: number): RegisteredSource {
  const taken = new Set(source.schema.fields.map((field) => field.name.toLowerCase()));
  let waitColumn = "agnes_wait";
  while (taken.has(waitColumn)) waitColumn += "_";
  return { source, threads, waitColumn, writer: createBatchWriter(source.schema) };
}

/**
 * The SQL that reads a source.
 *
 * The function must answer at once. When no batch is there it gives one row with a waiting time in the hidden
 * column: DuckDB's own thread sleeps that long, interruptibly, and drops the row, while JavaScript goes on. A time
 * below zero drops the row at once.
 */
export function relationOf(id: string, { waitColumn }: RegisteredSource): string {
  const wait = quoteIdentifier(waitColumn);
  return (
    `(SELECT * EXCLUDE (${wait}) FROM ${SCAN_FUNCTION}(${quoteLiteral(id)}) ` +
    `WHERE CASE WHEN ${wait} > 0 THEN sleep_ms(${wait}) IS NOT NULL ELSE ${wait} = 0 END)`
  );
}

/** The SQL of a source that is only bound or explained, never read: without the waiting. */
export function plannedRelationOf(id: string, { waitColumn }: RegisteredSource): string {
  return `(SELECT * EXCLUDE (${quoteIdentifier(waitColumn)}) FROM ${SCAN_FUNCTION}(${quoteLiteral(id)}))`;
}

interface Bound extends RegisteredSource {
  readonly feed: Feed;
  readonly idleMsMax: () => number;
}

interface Reading {
  readonly scan: Scan;
  /** For each vector of a chunk the column it takes, `null` for the hidden one. */
  readonly places: readonly (number | null)[];
  /** The same columns by their position among those asked for. */
  readonly positions: readonly number[];
}

/** What the function needs of its database. */
export interface ScanHost {
  readonly sources: ReadonlyMap<string, RegisteredSource>;
  readonly feedOf: (connectionId: number) => Feed;
  /** How long a thread may sleep on a source that has nothing, as far as others are concerned. */
  readonly idleMsMax: () => number;
}

/** Makes `SELECT … FROM agnes_scan(id)` work on a whole instance. Registering twice is ignored by DuckDB. */
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
  if (registered === undefined) return native.bind_set_error(info, "there is no such source any more");
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
  const columns = source.schema.fields.length;
  const places = Array.from({ length: native.init_get_column_count(info) }, (_, index) => {
    const column = native.init_get_column_index(info, index);
    return column < columns ? column : null;
  });
  const asked = places.filter((place) => place !== null);
  const scan = new Scan(
    source,
    asked.map((place) => source.schema.fields[place]!.name),
    feed.notify,
  );
  feed.add(scan);
  let position = 0;
  const positions = places.map((place) => (place === null ? -1 : position++));
  native.init_set_init_data(info, { scan, places, positions } satisfies Reading);
}

function fill(info: native.TableFunctionInfo, chunk: native.DataChunk): void {
  const { feed, writer, idleMsMax } = native.function_get_bind_data(info) as Bound;
  const { scan, places, positions } = native.function_get_init_data(info) as Reading;
  feed.lastAskedMs = performance.now();
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
      return fillIdle(chunk, places, Math.min(step.waitMs, idleMsMax()));
    case "rows":
      native.data_chunk_set_size(chunk, step.count);
      try {
        for (const [index, place] of places.entries()) {
          const vector = native.data_chunk_get_vector(chunk, index);
          if (place === null) native.copy_data_to_vector(vector, 0, ZEROS, 0, step.count * 4);
          else writer.write(vector, place, step.columns.data[positions[index]!]!, step.from, step.count);
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

function fillIdle(chunk: native.DataChunk, places: readonly (number | null)[], waitMs: number): void {
  native.data_chunk_set_size(chunk, 1);
  for (const [index, place] of places.entries()) {
    const vector = native.data_chunk_get_vector(chunk, index);
    if (place !== null) writeAllNull(vector, 1);
    else native.copy_data_to_vector(vector, 0, new Int32Array([waitMs]).buffer, 0, 4);
  }
}
