import type { Schema } from "apache-arrow";

import type { AgnesError } from "../base/mod.ts";
import type { FileReading, JsonValue } from "./batch.ts";
import type { Capability } from "./capability.ts";
import { toSchema, type Column } from "./columns.ts";

/** A table of a source, as its connector describes it. */
export interface TableInfo {
  /** The source's own name of the table. */
  readonly name: string;
  /** Names, Arrow types and nullability of the columns, in order. */
  readonly schema: Schema;
  /** The columns that identify a row. Default: none. */
  readonly primaryKey: readonly string[];
  /** The column whose values only grow, for incremental reading. Default: none. */
  readonly cursor?: string;
  /** What the table holds. */
  readonly description?: string;
  /** What can be done with this table, when less than the connector can do. */
  readonly capabilities?: readonly Capability[];
  /**
   * What the table belongs to beside its source's name, such as the path of a database or the address of an account: when
   * it changes, an incremental table is read from scratch. Default: nothing.
   */
  readonly identity?: string;
  /** About how many rows there are, for progress. */
  readonly estimatedRows?: number;
  /** About how many bytes of files the next read takes in, for progress: of all files, or of those that changed. */
  readonly estimatedBytes?: number;
  /** Where the table is inside the attached database, for `remote`. Default: `[name]`. */
  readonly remotePath?: readonly string[];
  /**
   * What the source notes of the table beside its columns and rows, such as its stage, owner or labels: anything that
   * JSON holds, at most 100,000 characters. The registry keeps it under `source_metadata` and shows it. It should change
   * rarely, because each change is kept: no figures and no times. Default: nothing.
   */
  readonly sourceMetadata?: Readonly<Record<string, JsonValue>>;
  /** How the files of the table are read; kept with what is published, and shown. */
  readonly reading?: FileReading;
  /**
   * Why the table cannot be read now, such as a damaged file; it may have no columns then. The other tables of the
   * source are synced, and what is published of this one stays. Default: it can be read.
   */
  readonly problem?: AgnesError;
  /**
   * Whether `problem` is about single rows while the columns are known: a table that quarantines rows is read then.
   * Default `false`.
   */
  readonly hasBadRows?: boolean;
  /** Whether the source leaves the table out on purpose, as `problem` says: a note then, no failure. Default `false`. */
  readonly isLeftOut?: boolean;
  /** What a person should know of the table; shown at every sync. Default: nothing. */
  readonly notes?: readonly string[];
}

/** What a table may say beside its name and columns. */
export type TableOptions = Partial<Omit<TableInfo, "name" | "schema">>;

/**
 * Describes a table by its columns.
 *
 * @example
 * ```ts
 * import { int64, table, timestamp, utf8 } from "agnes/kit";
 * const contacts = table(
 *   "contacts",
 *   { id: int64({ nullable: false }), email: utf8(), updated_at: timestamp() },
 *   { primaryKey: ["id"], cursor: "updated_at" },
 * );
 * ```
 */
export function table(
  name: string,
  columns: Readonly<Record<string, Column>> | Schema,
  options: TableOptions = {},
): TableInfo {
  const schema = isSchema(columns) ? columns : toSchema(columns);
  return { primaryKey: [], ...options, name, schema };
}

function isSchema(columns: Readonly<Record<string, Column>> | Schema): columns is Schema {
  return Array.isArray((columns as Schema).fields);
}
