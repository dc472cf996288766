import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";

import { messageOf } from "../base/mod.ts";

/** The name of the one scalar function; its first argument selects the sum. */
const SUM_FUNCTION = "agnes_row_sum";

/** DuckDB's vector size. */
const VECTOR_ROWS = 2048;
const TRUES = new Uint8Array(VECTOR_ROWS).fill(1).buffer;

/** What was added up so far. */
interface RowSum {
  /** How many values were added. */
  readonly rows: number;
  readonly sum: bigint;
}

/** A sum under the number by which SQL names it. */
export interface OpenRowSum {
  /** The SQL, always true, that adds a UBIGINT expression of the row it is evaluated for. */
  readonly add: (expression: string) => string;
  /** Ends the sum; SQL that still names it fails. */
  readonly close: () => RowSum;
}

/**
 * Sums over the rows of statements that return something else, such as a COPY.
 *
 * DuckDB decides how often an expression is evaluated, so compare `rows` with the rows that the statement returned.
 */
export class RowSums {
  readonly #sums = new Map<number, { rows: number; sum: bigint }>();
  #next = 1;

  open(): OpenRowSum {
    const id = this.#next++;
    const sum = { rows: 0, sum: 0n };
    this.#sums.set(id, sum);
    return {
      add: (expression) => `${SUM_FUNCTION}(CAST(${id} AS UINTEGER), ${expression})`,
      close: () => {
        this.#sums.delete(id);
        return sum;
      },
    };
  }

  /** Makes the SQL of `open` work on a whole instance; registering twice is ignored by DuckDB. */
  register(connection: native.Connection): void {
    const scalar = native.create_scalar_function();
    native.scalar_function_set_name(scalar, SUM_FUNCTION);
    native.scalar_function_add_parameter(scalar, duckdb.UINTEGER.toLogicalType().logical_type);
    native.scalar_function_add_parameter(scalar, duckdb.UBIGINT.toLogicalType().logical_type);
    native.scalar_function_set_return_type(scalar, duckdb.BOOLEAN.toLogicalType().logical_type);
    // Otherwise DuckDB evaluates it once for rows that are alike.
    native.scalar_function_set_volatile(scalar);
    native.scalar_function_set_function(scalar, (info, chunk, output) => {
      try {
        this.#add(chunk);
        native.copy_data_to_vector(output, 0, TRUES, 0, native.data_chunk_get_size(chunk));
      } catch (error) {
        native.scalar_function_set_error(info, messageOf(error));
      }
    });
    native.register_scalar_function(connection, scalar);
  }

  #add(chunk: native.DataChunk): void {
    const count = native.data_chunk_get_size(chunk);
    if (count === 0) return;
    const [id] = words(native.data_chunk_get_vector(chunk, 0), 1);
    const sum = this.#sums.get(id!);
    if (sum === undefined) throw new Error("there is no such sum any more");
    const halves = words(native.data_chunk_get_vector(chunk, 1), count * 2);
    // Exact: 2,048 numbers below 2^32. Adding up so many BigInts would take ten times as long.
    let low = 0;
    let high = 0;
    for (let at = 0; at < halves.length; at += 2) {
      low += halves[at]!;
      high += halves[at + 1]!;
    }
    sum.rows += count;
    sum.sum += BigInt(low) + (BigInt(high) << 32n);
  }
}

/** The first 32-bit words of a vector. */
function words(vector: native.Vector, count: number): Uint32Array {
  const bytes = native.vector_get_data(vector, count * 4);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
}
