import type { HistoryOptions } from "../catalog/mod.ts";
import type { Capability } from "../kit/mod.ts";
import type { CleaningFailure, Resource } from "./cascade.ts";
import type { TableRecord, TableSettings } from "./record/mod.ts";
import type { RegisteredTable } from "./stored.ts";

/** Options of a change. */
export interface ChangeOptions {
  /** Fails with `table_version_stale` if the table or registry changed after this version. Default: not checked. */
  readonly expectedVersion?: number;
  /** Reports the result without changing anything. Default: `false`. */
  readonly dryRun?: boolean;
  /** The author of the change in the audit trail. Default: the registry's actor. */
  readonly actor?: string;
}

/** Options of an import. */
export interface ImportOptions extends ChangeOptions {
  /** Skips and lists invalid entries instead of refusing the document. Default: `false`. */
  readonly skipInvalid?: boolean;
}

/** Options of registering the tables of a source. */
export interface DiscoverOptions extends Pick<ChangeOptions, "dryRun" | "actor"> {
  /** The capabilities of the connector, for tables without their own. */
  readonly capabilities?: readonly Capability[];
  /** Also registers tables that a user unregistered. Default: `false`. */
  readonly again?: boolean;
}

/** The result of a change, or on a dry run the expected result. */
export interface TableWrite {
  /** The table after the change. */
  readonly table: RegisteredTable;
  /** The fields that changed; empty if the table already had these values. */
  readonly changed: readonly (keyof TableSettings)[];
  /** Whether this was a dry run: nothing was written. */
  readonly dryRun: boolean;
}

/** The result of changing a folder, or on a dry run the expected result. */
export interface FolderWrite {
  /** The previous folder of the bucket; `null` if it had none. */
  readonly before: string | null;
  /** `false` if the bucket already had this folder. */
  readonly changed: boolean;
  /** Whether this was a dry run: nothing was written. */
  readonly dryRun: boolean;
}

/** The result of an unregistration. */
export interface Unregistration {
  /** The table before it was unregistered. */
  readonly table: RegisteredTable;
  /** All resources of the table. */
  readonly resources: readonly Resource[];
  /** Failed cleanups. The table is unregistered even if a cleanup fails. */
  readonly failures: readonly CleaningFailure[];
  /** Whether this was a dry run: nothing was written. */
  readonly dryRun: boolean;
}

/** The tables to list. Conditions are ANDed; default: all tables. */
export interface TableFilter {
  /** The name of the source. */
  readonly source?: string;
  /** The bucket, dataset or schema of the tables in their source. */
  readonly bucket?: string;
  /** The group of tables; see the field `dataset`. */
  readonly dataset?: string;
  /** How the tables are queried. */
  readonly queryMode?: TableRecord["queryMode"];
  /** Case-insensitive. */
  readonly viewName?: string;
  /** Part of the id, view name, source's own name or description, case-insensitive. */
  readonly text?: string;
}

/** The changes that `history` returns. The limit counts versions; changes made together share one. */
export interface RegistryHistoryOptions extends Omit<HistoryOptions, "rowKey"> {
  /** Only changes of this table, registered or not. */
  readonly id?: string;
}

/** All tables and folders at one version of the registry. */
export interface RegistrySnapshot {
  readonly version: number;
  readonly tables: readonly RegisteredTable[];
  readonly folders: Readonly<Record<string, string>>;
}
