import type { Connection } from "../../duckdb/mod.ts";
import type { AnyPlugin, QueryEstimate, SourceJob } from "../../kit/mod.ts";
import type { SourceHandle } from "../../sources/mod.ts";
import type { TableRecord } from "../../tables/mod.ts";

/**
 * A query that runs in the engine of a source, and whose rows the SQL of `query` reads as a table.
 *
 * @example
 * ```ts
 * import { createAgnes, type RegisteredQuery } from "agnes";
 * const traffic: RegisteredQuery = {
 *   source: "bq",
 *   sql: "SELECT id, views FROM web.pages WHERE id IN UNNEST(@keys)",
 *   keys: "SELECT DISTINCT page_id FROM orders",
 * };
 * await using agnes = await createAgnes({ plugins: [] });
 * const sql = "SELECT * FROM orders JOIN traffic ON page_id = traffic.id";
 * const result = await agnes.query(sql, { register: { traffic } });
 * for await (const batch of result.batches) console.log(batch.numRows);
 * console.log(result.receipt().registered);
 * ```
 */
export interface RegisteredQuery {
  /** The name of the source in `agnes.yaml`. Its plugin must have the capability `query`. */
  readonly source: string;
  /** One SELECT in the dialect of the source. */
  readonly sql: string;
  /**
   * One SELECT of one column over the tables of the catalog, which runs first. Its distinct values without NULL, at most
   * 10,000, are the array parameter `keys` of `sql`, such as `WHERE id IN UNNEST(@keys)`. Without values `sql` does not run
   * and has no rows, so it must select only rows that match a key. Default: no parameter.
   */
  readonly keys?: string;
  readonly limits?: RegisterLimits;
}

/** The limits of one registered query. A query above a limit is an error; its rows are never cut off. */
export interface RegisterLimits {
  /** The maximum number of rows. Default: 500,000. */
  readonly maxRows?: number;
  /** The maximum size of the rows in bytes, as Arrow in memory. Default: 1 GiB. */
  readonly maxBytes?: number;
  /** The maximum number of bytes that the source may read or bill. Default: the limit of the source. */
  readonly maxScannedBytes?: number;
  /** The timeout in milliseconds, from its start until its last row is read. Default: that of the whole query. */
  readonly timeoutMs?: number;
}

/** What ran for one alias of `register`. */
export interface RegisteredReceipt {
  readonly alias: string;
  readonly source: string;
  /** Whether the source ran the query; `false` without keys, for EXPLAIN, and in a DESCRIBE if its columns are known. */
  readonly ran: boolean;
  /** The number of keys; null if the query has none. */
  readonly keys: number | null;
  /** The number of rows that were read. */
  readonly rows: number;
  /** Their size in bytes, as Arrow in memory. */
  readonly sizeBytes: number;
  /** The estimate of the source before the query ran; unknown figures are missing. */
  readonly estimate: Pick<QueryEstimate, "rows" | "scannedBytes" | "price">;
  /** The duration in milliseconds, from the start of the query until its last row was read. */
  readonly elapsedMs: number;
  /** The jobs that the source reported; missing if it reported none. */
  readonly jobs?: readonly SourceJob[];
}

/** The sources of the workspace, for the queries of `register`. */
export interface HybridSources {
  /** Returns the plugin of a source. @throws `source_unknown`, `plugin_unknown` */
  pluginOf(source: string): Pick<AnyPlugin, "name" | "capabilities">;
  /** @param alias the alias that needs the source first */
  open(source: string, signal: AbortSignal, alias: string): Promise<SourceHandle>;
  /** Whether each alias needs a handle of its own. Default: the aliases of a source share one. */
  readonly isPerAlias?: boolean;
  /** Returns all registered tables, whether they are published or not. */
  tables(): Promise<readonly SourceTable[]>;
}

/** A registered table. */
export interface SourceTable extends TableRecord {
  /** What precedes its name in the SQL of its source; see `Plugin.namespace`. */
  readonly namespace?: string | undefined;
}

/** The database of a query, and connections to its instance. */
export interface HybridPlace {
  readonly database: string;
  readonly connect: () => Promise<Connection>;
  readonly release: (connection: Connection) => Promise<void>;
}

/** Whether the SQL reads rows of an alias; otherwise it needs only the columns. */
export type IsRead = (alias: string) => boolean;

/** A checked alias. */
export interface Alias extends Omit<RegisteredQuery, "keys"> {
  readonly name: string;
  readonly keys: string | null;
  readonly limits: RegisterLimits & { readonly maxRows: number; readonly maxBytes: number };
}
