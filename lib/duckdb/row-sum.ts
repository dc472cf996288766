import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";

import { messageOf } from "../base/mod.ts";

/** The name of the scalar function. Its first argument selects the sum. */
const SUM_FUNCTION = "agnes_row_sum";

/** DuckDB's vector size. */
const VECTOR_ROWS = 2048;
const TRUES = new Uint8Array(VECTOR_ROWS).fill(1).buffer;

/** The current state of a sum. */
interface RowSum {
  /** The number of values. */
  readonly rows: number;
  readonly sum: bigint;
}

/** An open sum, which SQL refers to by number. */
export interface OpenRowSum {
  /** Returns SQL that adds a UBIGINT expression of the current row to the sum and evaluates to true. */
  readonly add: (expression: string) => string;
  /** Closes the sum and returns it. SQL that refers to it fails afterwards. */
  readonly close: () => RowSum;
}

/**
 * Computes sums over the rows of statements that do not return them, such as COPY.
 *
 * DuckDB may evaluate an expression more or less often than once per row, so compare `rows` with the rows of the
 * statement.
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

  /** Registers the function on the whole instance. DuckDB ignores a second registration. */
  register(connection: native.Connection): void {
    const scalar = native.create_scalar_function();
    native.scalar_function_set_name(scalar, SUM_FUNCTION);
    native.scalar_function_add_parameter(scalar, duckdb.UINTEGER.toLogicalType().logical_type);
    native.scalar_function_add_parameter(scalar, duckdb.UBIGINT.toLogicalType().logical_type);
    native.scalar_function_set_return_type(scalar, duckdb.BOOLEAN.toLogicalType().logical_type);
    // Otherwise DuckDB evaluates it once for equal rows.
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
    if (sum === undefined) throw new Error("the sum is closed");
    const halves = words(native.data_chunk_get_vector(chunk, 1), count * 2);
    // Exact, because it adds 2,048 numbers below 2^32. BigInts would be ten times slower.
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

/** Returns the first 32-bit words of a vector. */
function words(vector: native.Vector, count: number): Uint32Array {
  const bytes = native.vector_get_data(vector, count * 4);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
}
