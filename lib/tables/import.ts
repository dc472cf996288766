import { AgnesError, isAgnesError } from "../base/mod.ts";
import { EarlierNames } from "./import-names.ts";
import {
  changedFields,
  changedRecord,
  checkStoredChange,
  newSettings,
  replacedColumnMetadata,
  tableId,
  withoutUnread,
  type CheckTable,
  type StoredChange,
  type TableRecord,
} from "./record/mod.ts";
import type { RegisteredTable } from "./stored.ts";

/** A table in a document: its stored fields and, if the document has them, who registered it and when. */
export type DocumentTable = StoredChange & {
  readonly registered_by?: string;
  readonly registered_at?: string;
  /** The name of the table in an earlier system. Its name and view name are derived from it. */
  readonly earlier_name?: string;
};

/** A part of a document that cannot be imported, and the reason. */
export interface ImportFailure {
  /** The place in the document, or the id of the table. */
  readonly table: string;
  readonly code: string;
  readonly message: string;
}

/** Tables and folders to import, as returned by `parseRegistryJson` and `parseDataDescription`. */
export interface RegistryDocument {
  /** The name of the document in errors. */
  readonly path: string;
  readonly tables: readonly DocumentTable[];
  /** The name of each table in errors, if parts of the document are invalid. Default: its index. */
  readonly places?: readonly string[];
  readonly folder_mapping: Readonly<Record<string, string>>;
  /** The invalid entries of a document that was read with `skipInvalid`. */
  readonly invalid?: readonly ImportFailure[];
  /** Notes about content of the document that is not imported. */
  readonly notes?: readonly string[];
}

/** The result of importing one table of a document, or on a dry run the expected result. */
export interface ImportedTable {
  readonly kind: "registered" | "updated" | "unchanged";
  readonly id: string;
  readonly viewName: string;
  readonly changed: readonly string[];
  /** Notes about names that were changed to avoid a conflict. */
  readonly notes: readonly string[];
  /** Fields of the document that were ignored because this version does not read them. */
  readonly ignored: readonly string[];
}

/** The result of importing the folder of one bucket, or on a dry run the expected result. */
export interface ImportedFolder {
  readonly kind: "set" | "unchanged";
  readonly bucket: string;
  readonly folder: string;
}

/** The result of an import, or on a dry run the expected result. */
export interface ImportOutcome {
  readonly tables: readonly ImportedTable[];
  readonly folders: readonly ImportedFolder[];
  /** The entries that were skipped, with `skipInvalid`. */
  readonly skipped: readonly ImportFailure[];
  /** Notes about content of the document that is not imported. */
  readonly notes: readonly string[];
  readonly dryRun: boolean;
}

/** The options of `planImport`. */
export interface ImportPlanOptions {
  readonly at: string;
  readonly by: string;
  readonly checkTable: CheckTable;
  /** Skips invalid entries instead of refusing the document. */
  readonly skipInvalid: boolean;
}

interface Planned {
  readonly record: TableRecord;
  readonly outcome: ImportedTable;
}

/** Plans the import of a document: all records to write, or one error with all reasons. */
export function planImport(
  document: RegistryDocument,
  present: readonly RegisteredTable[],
  options: ImportPlanOptions,
): {
  readonly records: readonly TableRecord[];
  readonly outcomes: readonly ImportedTable[];
  readonly skipped: readonly ImportFailure[];
} {
  const known = new Map(present.map((table) => [table.id.toLowerCase(), table]));
  const names = new EarlierNames(present);
  const seen = new Set<string>();
  let planned: readonly Planned[] = [];
  const failures: ImportFailure[] = [...(document.invalid ?? [])];
  for (const [index, table] of document.tables.entries()) {
    const what = document.places?.[index] ?? `tables[${index}]`;
    try {
      const next = plannedTable(table, what, { known, names, stamp: options });
      options.checkTable(next.record, next.record.id);
      const key = next.record.id.toLowerCase();
      if (seen.has(key)) {
        const message = `${what}: the file has another table ${next.record.id}`;
        failures.push({ table: what, code: "table_exists", message });
        continue;
      }
      seen.add(key);
      names.take(next.record);
      planned = [...planned, next];
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      failures.push({ table: what, code: error.code, message: withPlace(error.message, what) });
    }
  }
  for (;;) {
    const conflicts = viewConflicts(
      planned.map(({ record }) => record),
      present,
    );
    failures.push(...conflicts.map(({ failure }) => failure));
    if (failures.length > 0 && !options.skipInvalid)
      throw new AgnesError("table_import_refused", { path: document.path, failures });
    if (conflicts.length === 0) break;
    // A skipped table keeps its view name, so another table may now conflict with it.
    const out = new Set(conflicts.map(({ id }) => id));
    planned = planned.filter(({ record }) => !out.has(record.id));
  }
  return {
    records: planned.map(({ record }) => record),
    outcomes: planned.map(({ outcome }) => outcome),
    skipped: failures,
  };
}

/** Plans the import of the folders of a document. */
export function planFolders(
  document: RegistryDocument,
  present: Readonly<Record<string, string>>,
): readonly ImportedFolder[] {
  return Object.entries(document.folder_mapping).map(([bucket, folder]) => ({
    kind: Object.hasOwn(present, bucket) && present[bucket] === folder ? "unchanged" : "set",
    bucket,
    folder,
  }));
}

function plannedTable(
  table: DocumentTable,
  what: string,
  context: {
    readonly known: ReadonlyMap<string, RegisteredTable>;
    readonly names: EarlierNames;
    readonly stamp: { readonly at: string; readonly by: string };
  },
): Planned {
  const { registered_by, registered_at, earlier_name: earlierName, ...content } = table;
  const { fields, unread = {} } = withoutUnread(content);
  const ignored = Object.keys(unread);
  const { notes, ...named } = namedTable(fields, earlierName, context.names);
  const change = checkStoredChange(named.fields, what);
  const settings = newSettings(change, what);
  const id = tableId(settings.source, settings.name);
  const before = context.known.get(id.toLowerCase());
  if (before === undefined) {
    const record = {
      id,
      ...settings,
      registeredBy: registered_by ?? context.stamp.by,
      registeredAt: registered_at ?? context.stamp.at,
    };
    return {
      record,
      outcome: { kind: "registered", id, viewName: record.viewName, changed: [], notes, ignored },
    };
  }
  const { version: _version, ...present } = before;
  const { columnMetadata } = change;
  const record = changedRecord(present, {
    ...change,
    source: before.source,
    name: before.name,
    // Exports omit columns without metadata.
    ...(columnMetadata && { columnMetadata: replacedColumnMetadata(before.columnMetadata, columnMetadata) }),
  });
  const changed = changedFields(before, record);
  const kind = changed.length === 0 ? "unchanged" : "updated";
  return { record, outcome: { kind, id: before.id, viewName: record.viewName, changed, notes, ignored } };
}

function namedTable(
  fields: StoredChange,
  earlierName: string | undefined,
  names: EarlierNames,
): { readonly fields: StoredChange; readonly notes: readonly string[] } {
  const { source, source_table: sourceTable } = fields;
  if (earlierName === undefined || typeof source !== "string" || typeof sourceTable !== "string")
    return { fields, notes: [] };
  const { name, viewName, notes } = names.nameOf(source, sourceTable, earlierName);
  return { fields: { ...fields, name, ...(viewName === undefined ? {} : { view_name: viewName }) }, notes };
}

/** View names that would belong to two tables after the import, each with the table to skip. */
function viewConflicts(
  records: readonly TableRecord[],
  present: readonly RegisteredTable[],
): readonly { readonly id: string; readonly failure: ImportFailure }[] {
  const imported = new Set(records.map(({ id }) => id));
  const all = new Map([...present, ...records].map((table) => [table.id.toLowerCase(), table]));
  const owners = new Map<string, TableRecord>();
  const conflicts = [];
  for (const table of all.values()) {
    const owner = owners.get(table.viewName.toLowerCase());
    if (owner === undefined) {
      owners.set(table.viewName.toLowerCase(), table);
      continue;
    }
    const message = `the view name ${table.viewName} would belong to both ${owner.id} and ${table.id}`;
    const failure = { table: table.id, code: "table_view_taken", message };
    conflicts.push({ id: imported.has(table.id) ? table.id : owner.id, failure });
  }
  return conflicts;
}

function withPlace(message: string, what: string): string {
  return message.startsWith(what) ? message : `${what}: ${message}`;
}
