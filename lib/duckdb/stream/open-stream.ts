import type { SourceHolder } from "../connection.ts";
import type { StreamSource } from "./scan.ts";

/** A source that SQL can read. */
export interface StreamTable {
  /** What to write after `FROM`. */
  readonly relation: string;
  /** The same for a statement that is only bound or explained: its plan shows nothing of how rows are waited for. */
  readonly plannedRelation: string;
  /** SQL cannot name the source any more; statements that already run go on. */
  close(): void;
}

/**
 * Lets the SQL of a database read a JavaScript source.
 *
 * Each statement that names it opens it anew, with the columns it needs. The source may do anything while it is
 * read, even run queries. What it throws, the statement throws, the very object; when the statement ends first, by
 * `LIMIT` or abort, the source's signal fires and its iterator is closed.
 *
 * @param options.threads threads of DuckDB that may take batches at once. Default 1, which keeps the order of rows.
 * @throws `type_unsupported` for a column that DuckDB cannot hold
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
