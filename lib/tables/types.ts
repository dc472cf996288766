import type { HistoryOptions } from "../catalog/mod.ts";
import type { Capability } from "../kit/mod.ts";
import type { CleaningFailure, Resource } from "./cascade.ts";
import type { TableRecord } from "./record/mod.ts";
import type { RegisteredTable } from "./stored.ts";

/** How a change is made. */
export interface ChangeOptions {
  /** Refuses when what the call touches changed after this version. */
  readonly expectedVersion?: number;
  /** Decides and reports, but changes nothing. */
  readonly dryRun?: boolean;
  /** Who makes the change. */
  readonly actor?: string;
}

/** How a document is imported. */
export interface ImportOptions extends ChangeOptions {
  /** Leaves out what cannot be taken, and lists it, instead of refusing all of it. Default `false`. */
  readonly skipInvalid?: boolean;
}

/** How what a source has is registered. */
export interface DiscoverOptions extends Pick<ChangeOptions, "dryRun" | "actor"> {
  /** What the connector can do, for tables that do not say it themselves. */
  readonly capabilities?: readonly Capability[];
  /** Registers what somebody unregistered too. Default `false`: that was a decision, and it holds. */
  readonly again?: boolean;
}

/** What a change did, or on a dry run would do. */
export interface TableWrite {
  readonly table: RegisteredTable;
  /** The fields that changed; none when everything was so already. */
  readonly changed: readonly string[];
  readonly dryRun: boolean;
}

/** What a change of a folder did, or on a dry run would do. */
export interface FolderWrite {
  /** The folder the bucket had; `null` when it had none. */
  readonly before: string | null;
  readonly changed: boolean;
  readonly dryRun: boolean;
}

/** What an unregistration did. */
export interface Unregistration {
  readonly table: RegisteredTable;
  /** Everything that exists because of the table. */
  readonly resources: readonly Resource[];
  /** Cleaning that failed; the table is unregistered all the same. */
  readonly failures: readonly CleaningFailure[];
  readonly dryRun: boolean;
}

/** Which tables to list; all that is given must hold. */
export interface TableFilter {
  readonly source?: string;
  readonly bucket?: string;
  /** The group of tables; see the field `dataset`. */
  readonly dataset?: string;
  readonly query_mode?: TableRecord["query_mode"];
  /** In any case. */
  readonly view_name?: string;
  /** Part of the id, view name, source's own name or description, in any case. */
  readonly text?: string;
}

/** Which changes `history` gives. Its limit counts versions; changes made together share one. */
export interface RegistryHistoryOptions extends Omit<HistoryOptions, "rowKey"> {
  /** Only changes of this table, registered or not. */
  readonly id?: string;
}

/** Everything that is registered at one version of the registry. */
export interface RegistrySnapshot {
  readonly version: number;
  readonly tables: readonly RegisteredTable[];
  readonly folders: Readonly<Record<string, string>>;
}
