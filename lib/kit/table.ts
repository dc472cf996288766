import type { Schema } from "apache-arrow";

import type { AgnesError } from "../base/mod.ts";
import type { FileReading, JsonValue } from "./batch.ts";
import type { Capability } from "./capability.ts";
import { toSchema, type Column } from "./columns.ts";

/** A table of a source, as described by its connector. */
export interface TableInfo {
  /** The name of the table in the source. */
  readonly name: string;
  /** Names, Arrow types and nullability of the columns, in order. */
  readonly schema: Schema;
  /** The columns that identify a row. Default: none. */
  readonly primaryKey: readonly string[];
  /** The column with increasing values, for incremental reads. Default: none. */
  readonly cursor?: string;
  /**
   * When the oldest rows may have changed last, about, if the connector can read rows by the time of their last change; see
   * `ReadOptions.changes`. The first load of an incremental table without a cursor column can then be split by that time.
   * Default: rows cannot be read by that time.
   */
  readonly changesFrom?: Date;
  /** A description of the table. */
  readonly description?: string;
  /** The capabilities for this table, if fewer than those of the connector. */
  readonly capabilities?: readonly Capability[];
  /**
   * What identifies the origin of the table besides the source name, such as the path of a database or the URL of an
   * account. If it changes, an incremental table is read from scratch. Default: none.
   */
  readonly identity?: string;
  /** The approximate number of rows, for progress. */
  readonly estimatedRows?: number;
  /** The approximate size in bytes of the files that the next read loads, for progress. */
  readonly estimatedBytes?: number;
  /** The path of the table in the attached database, for `remote`. Default: `[name]`. */
  readonly remotePath?: readonly string[];
  /**
   * Additional metadata of the table, such as its stage, owner or labels: any JSON, at most 100,000 characters. The
   * registry stores it under `source_metadata`. It should change rarely, because each change is stored: no counts and no
   * timestamps. Default: none.
   */
  readonly sourceMetadata?: Readonly<Record<string, JsonValue>>;
  /** How to read the files of the table; stored with the published data. */
  readonly reading?: FileReading;
  /**
   * Why the table cannot be read now, such as a damaged file; the schema may then be empty. The other tables of the
   * source are synced, and the published data of this table stays. Default: the table can be read.
   */
  readonly problem?: AgnesError;
  /**
   * Whether `problem` concerns single rows and the columns are known: a table that quarantines rows is then read.
   * Default: `false`.
   */
  readonly hasBadRows?: boolean;
  /** Whether the source skips the table on purpose: `problem` is then a note, not a failure. Default: `false`. */
  readonly isSkipped?: boolean;
  /** Notes for the user, printed at every sync. Default: none. */
  readonly notes?: readonly string[];
}

/** Options of a table besides its name and columns. */
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
