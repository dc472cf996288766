/** The types of tables in a source, in the order of the documentation. */
export const entityTypes = ["table", "view", "materialized_view", "external", "snapshot", "clone"] as const;

/**
 * The type of a table in its source.
 *
 * - `table`: rows stored by the source.
 * - `view`: a query that runs on each read; its rows and bytes are usually unknown.
 * - `materialized_view`: the stored result of a query.
 * - `external`: data outside the source, such as files in a bucket; its rows and bytes are usually unknown.
 * - `snapshot`: a read-only copy of a table at one point in time.
 * - `clone`: a writable copy of a table that shares its storage.
 */
export type EntityType = (typeof entityTypes)[number];

/** A column as described by the source. */
export interface ColumnMetadata {
  readonly name: string;
  /** The type name in the source: `NUMERIC(38,2)`, `STRING`. */
  readonly type: string;
  /** Whether the column is nullable. Omitted: unknown. */
  readonly nullable?: boolean;
  readonly description?: string;
}

/**
 * Metadata of a table that the source provides without reading its rows. Omitted values are unknown: omit a figure
 * instead of reporting 0, as many sources do for views, external tables and recently streamed rows.
 *
 * @example
 * ```ts
 * import type { TableMetadata } from "agnes/kit";
 * const orders: TableMetadata = {
 *   name: "orders", entityType: "table", rows: 12_000, sizeBytes: 840_000,
 *   columns: [{ name: "id", type: "INT64", nullable: false }], partitionedBy: ["day"],
 *   modifiedAt: new Date("2026-01-31T10:00:00Z"),
 * };
 * ```
 */
export interface TableMetadata {
  /** The name of the requested table, `TableInfo.name`. */
  readonly name: string;
  readonly entityType?: EntityType;
  /** The number of rows, as reported by the source. */
  readonly rows?: number;
  /** The size in bytes, as reported by the source. */
  readonly sizeBytes?: number;
  /** All columns, in the order of the source. */
  readonly columns?: readonly ColumnMetadata[];
  /** The partition columns; an empty list: not partitioned. */
  readonly partitionedBy?: readonly string[];
  /** The clustering columns, in order; an empty list: not clustered. */
  readonly clusteredBy?: readonly string[];
  /** When rows last changed. */
  readonly modifiedAt?: Date;
}
