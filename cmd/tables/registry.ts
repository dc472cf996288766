import type { AgnesError } from "../../lib/base/mod.ts";
import type { AnyPlugin } from "../../lib/kit/mod.ts";
import type { RunError, TableStatus } from "../../lib/sync/mod.ts";
import type {
  ChangeOptions,
  FolderWrite,
  RegisteredTable,
  RegistrationPlan,
  RegistryChange,
  TableChange,
  TableFilter,
  TableWrite,
  Unregistration,
} from "../../lib/tables/mod.ts";

/** Some registered tables. */
export interface ListedTables {
  /** The registry's version. */
  readonly version: number;
  readonly tables: readonly RegisteredTable[];
  /** Returns the primary keys in use by the ids of the tables. */
  readonly keys: () => Promise<ReadonlyMap<string, readonly string[]>>;
}

/** A registered table and its state. */
export interface TableDetails {
  readonly table: RegisteredTable;
  readonly isPublished: boolean;
  /** Its folder, otherwise that of its bucket. */
  readonly folder: string | null;
  /** The primary key in use. */
  readonly key: readonly string[];
  readonly extractedAt: string | null;
  readonly checkedAt: string | null;
  /** The state of its syncs; null if it is remote. */
  readonly status: TableStatus | null;
  readonly syncError: RunError | null;
  readonly dueAt: string | null;
}

/** Options of registering or changing a table. */
export interface WriteOptions extends ChangeOptions {
  /** Whether to compare the table with its source. */
  readonly isSourceChecked: boolean;
}

/** The result of registering or changing a table. */
export interface CheckedWrite extends TableWrite {
  /** What does not fit its source, or why that was not checked. It may call the source. */
  warnings(): Promise<readonly string[]>;
}

/** The result of discovering sources. */
export interface Discovery {
  readonly plans: readonly RegistrationPlan[];
  readonly failures: readonly { readonly source: string; readonly error: AgnesError }[];
  /** The sources that cannot list their tables, if all were wanted, and the command that registers one. */
  readonly skipped: readonly { readonly source: string; readonly register: string | null }[];
}

/** The table registry that a command works with: that of a workspace, or of a server. */
export interface CommandRegistry extends AsyncDisposable {
  /** A text for the user, whose commands are as they work with this registry. */
  advice(text: string): string;
  list(filter: TableFilter): Promise<ListedTables>;
  /** @throws `table_not_registered` */
  find(reference: string): Promise<RegisteredTable>;
  /** @throws `table_not_registered` */
  show(reference: string): Promise<TableDetails>;
  register(change: TableChange & { readonly source: string }, options: WriteOptions): Promise<CheckedWrite>;
  update(table: RegisteredTable, change: TableChange, options: WriteOptions): Promise<CheckedWrite>;
  unregister(table: RegisteredTable, options: ChangeOptions): Promise<Unregistration>;
  /** The changes of a table or of the registry, the newest first. */
  history(options: { readonly limit: number; readonly table?: string }): Promise<readonly RegistryChange[]>;
  folders(): Promise<{ readonly version: number; readonly folders: Readonly<Record<string, string>> }>;
  setFolder(bucket: string, folder: string | null, options: ChangeOptions): Promise<FolderWrite>;
  /** Registers the new tables of these sources; none: of all that can list their tables. */
  discover(
    sources: readonly string[],
    options: { readonly dryRun: boolean; readonly again: boolean },
  ): Promise<Discovery>;
  /** The plugins that define the codes of errors. */
  plugins(): Promise<readonly Pick<AnyPlugin, "errors">[]>;
}
