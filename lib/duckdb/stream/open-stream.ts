import type { SourceHolder } from "../connection.ts";
import type { StreamSource } from "./scan.ts";

/** A source that SQL can read. */
export interface StreamTable {
  /** The relation to use after `FROM`. */
  readonly relation: string;
  /** The relation for a statement that is only bound or explained, without the waiting in its plan. */
  readonly plannedRelation: string;
  /** Unregisters the source. Running statements continue. */
  close(): void;
}

/**
 * Registers a JavaScript source that SQL can read.
 *
 * Each reference in a statement opens the source again, with the columns that it needs. The source may run queries while
 * it is read. Errors of the source are thrown unchanged by the statement. If the statement ends first, by `LIMIT` or
 * abort, the signal of the source is aborted and its iterator closed.
 *
 * @param options.threads the number of DuckDB threads that read batches in parallel; default: 1, which keeps the order of rows
 * @throws `type_unsupported` for a column type that DuckDB does not support
 * @example
 * ```ts
 * const numbers = openStream(database, { schema, async *open() { yield batch; } });
 * await connection.run(`CREATE TABLE t AS FROM ${numbers.relation}`);
 * numbers.close();
 * ```
 */
export function openStream(
  database: SourceHolder,
  source: StreamSource,
  options: { readonly threads?: number } = {},
): StreamTable {
  const { remove, ...relations } = database.addSource(source, options.threads ?? 1);
  return { ...relations, close: remove };
}
