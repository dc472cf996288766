import { AgnesError, isAgnesError } from "../base/mod.ts";
import {
  changedFields,
  changedRecord,
  checkChange,
  newSettings,
  tableId,
  withoutUnread,
  type CheckTable,
  type TableChange,
  type TableRecord,
} from "./record/mod.ts";
import type { RegisteredTable } from "./stored.ts";

/** A table as a document gives it: its fields, and who registered it when the document knows. */
export type DocumentTable = TableChange & {
  readonly registered_by?: string;
  readonly registered_at?: string;
};

/** Tables and folders to be imported, as `parseRegistryJson` and `parseDataDescription` give them. */
export interface RegistryDocument {
  /** What to call the document in an error. */
  readonly path: string;
  readonly tables: readonly DocumentTable[];
  readonly folder_mapping: Readonly<Record<string, string>>;
}

/** What became, or would become, of one table of a document. */
export interface ImportedTable {
  readonly kind: "registered" | "updated" | "unchanged";
  readonly id: string;
  readonly changed: readonly string[];
  /** Fields of the document that were ignored because this version does not read them. */
  readonly ignored: readonly string[];
}

/** What became, or would become, of the folder of one bucket. */
export interface ImportedFolder {
  readonly kind: "set" | "unchanged";
  readonly bucket: string;
  readonly folder: string;
}

/** What an import did, or on a dry run would do. */
export interface ImportOutcome {
  readonly tables: readonly ImportedTable[];
  readonly folders: readonly ImportedFolder[];
  readonly dryRun: boolean;
}

/** What importing a document means for the registry: every record to write, or one error with every reason. */
export function planImport(
  document: RegistryDocument,
  present: readonly RegisteredTable[],
  stamp: { readonly at: string; readonly by: string },
  checkTable: CheckTable,
): { readonly records: readonly TableRecord[]; readonly outcomes: readonly ImportedTable[] } {
  const known = new Map(present.map((table) => [table.id.toLowerCase(), table]));
  const seen = new Set<string>();
  const planned: { readonly record: TableRecord; readonly outcome: ImportedTable }[] = [];
  const failures: { readonly table: string; readonly code: string; readonly message: string }[] = [];
  for (const [index, table] of document.tables.entries()) {
    const what = `tables[${index}]`;
    try {
      const next = plannedTable(table, what, known, stamp);
      checkTable(next.record, next.record.id);
      const key = next.record.id.toLowerCase();
      if (seen.has(key)) {
        const message = `${what}: the file has another table ${next.record.id}`;
        failures.push({ table: what, code: "table_exists", message });
        continue;
      }
      seen.add(key);
      planned.push(next);
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      failures.push({ table: what, code: error.code, message: withPlace(error.message, what) });
    }
  }
  failures.push(
    ...viewConflicts(
      planned.map(({ record }) => record),
      present,
    ),
  );
  if (failures.length > 0) throw new AgnesError("table_import_refused", { path: document.path, failures });
  return { records: planned.map(({ record }) => record), outcomes: planned.map(({ outcome }) => outcome) };
}

/** What importing the folders of a document means for those there are. */
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
  known: ReadonlyMap<string, RegisteredTable>,
  stamp: { readonly at: string; readonly by: string },
): { readonly record: TableRecord; readonly outcome: ImportedTable } {
  const { registered_by, registered_at, ...content } = table;
  const { fields, unread = {} } = withoutUnread(content);
  const ignored = Object.keys(unread);
  const change = checkChange(fields, what);
  const settings = newSettings(change, what);
  const id = tableId(settings.source, settings.name);
  const before = known.get(id.toLowerCase());
  if (before === undefined) {
    const record = {
      id,
      ...settings,
      registered_by: registered_by ?? stamp.by,
      registered_at: registered_at ?? stamp.at,
    };
    return { record, outcome: { kind: "registered", id, changed: [], ignored } };
  }
  const { version: _version, ...present } = before;
  const record = changedRecord(present, { ...change, source: before.source, name: before.name });
  const changed = changedFields(before, record);
  const kind = changed.length === 0 ? "unchanged" : "updated";
  return { record, outcome: { kind, id: before.id, changed, ignored } };
}

/** View names that would belong to two tables once everything is imported. */
function viewConflicts(
  records: readonly TableRecord[],
  present: readonly RegisteredTable[],
): readonly { readonly table: string; readonly code: string; readonly message: string }[] {
  const all = new Map([...present, ...records].map((table) => [table.id.toLowerCase(), table]));
  const owners = new Map<string, TableRecord>();
  const conflicts = [];
  for (const table of all.values()) {
    const owner = owners.get(table.view_name.toLowerCase());
    if (owner === undefined) {
      owners.set(table.view_name.toLowerCase(), table);
      continue;
    }
    const message = `the view name ${table.view_name} would belong to both ${owner.id} and ${table.id}`;
    conflicts.push({ table: table.id, code: "table_view_taken", message });
  }
  return conflicts;
}

function withPlace(message: string, what: string): string {
  return message.startsWith(what) ? message : `${what}: ${message}`;
}
