/**
 * What a table can be in its source.
 *
 * - `table`: rows that the source stores itself.
 * - `view`: a query that runs whenever it is read; its rows and bytes are usually unknown.
 * - `materialized_view`: the stored result of a query.
 * - `external`: data outside the source, such as files in a bucket; its rows and bytes are usually unknown.
 * - `snapshot`: a table as it was at one moment; nobody writes to it.
 * - `clone`: a copy of a table that shares its storage and may be written to.
 *
 * @example
 * ```ts
 * import { entityTypes } from "agnes/kit";
 * entityTypes.includes("view"); // true
 * ```
 */
export const entityTypes = ["table", "view", "materialized_view", "external", "snapshot", "clone"] as const;

/** What a table is in its source; see `entityTypes`. */
export type EntityType = (typeof entityTypes)[number];

/** A column as the source describes it. */
export interface ColumnMetadata {
  readonly name: string;
  /** The type by the source's own name: `NUMERIC(38,2)`, `STRING`. */
  readonly type: string;
  /** Whether it may be null. Absent: unknown. */
  readonly nullable?: boolean;
  readonly description?: string;
}

/**
 * What a source knows of a table without reading it. What is absent is unknown: leave a figure out rather than report 0,
 * as many sources do for views, external tables and rows that were just streamed in.
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
  /** The name of the table that was asked for, `TableInfo.name`. */
  readonly name: string;
  readonly entityType?: EntityType;
  readonly rows?: number;
  /** Bytes in the source, as it counts them. */
  readonly sizeBytes?: number;
  /** All columns, in the order of the source. */
  readonly columns?: readonly ColumnMetadata[];
  /** The columns that decide the partition of a row; an empty list: it is not partitioned. */
  readonly partitionedBy?: readonly string[];
  /** The columns by which rows are clustered, the first one first; an empty list: they are not. */
  readonly clusteredBy?: readonly string[];
  /** When rows last changed. */
  readonly modifiedAt?: Date;
}
