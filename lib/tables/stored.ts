import type { Versioned } from "../catalog/mod.ts";
import {
  fromStoredFields,
  settingsOf,
  tableDefaults,
  tableId,
  toStoredFields,
  withoutEarlierDefault,
  withoutUnread,
  type TableRecord,
} from "./record/mod.ts";

/** A registered table and the version of its last change. */
export interface RegisteredTable extends TableRecord {
  /** The registry's version that last changed this table. */
  readonly version: number;
}

/** A table as stored in the catalog, with its other fields in their stored form. */
export interface TableRow {
  readonly kind: "table";
  /** The id in lower case, because names in DuckDB are case-insensitive. */
  readonly key: string;
  readonly view_key: string;
  readonly source: string;
  readonly name: string;
  readonly bucket: string | null;
  readonly query_mode: TableRecord["queryMode"];
}

/** The folder of a bucket as stored in the catalog. */
export interface FolderRow {
  readonly kind: "folder";
  /** The bucket. */
  readonly key: string;
  readonly folder: string;
  readonly source: null;
  readonly bucket: null;
  readonly query_mode: null;
  readonly view_key: null;
}

export type RegistryRow = TableRow | FolderRow;

/** The catalog's schema. It is fixed on the first open, so a change needs a migration. */
export const registrySchema = {
  name: "tables",
  rowKey: ["kind", "key"],
  indexKeys: ["source", "bucket", "query_mode", "view_key"],
} as const;

/** All rows of one kind. */
export const allTables = { rowFrom: ["table"], rowTo: ["table"] } as const;
export const allFolders = { rowFrom: ["folder"], rowTo: ["folder"] } as const;

/** The row key of a table. */
export function tableKey(id: string): readonly [string, string] {
  return ["table", id.toLowerCase()];
}

/** The row of a table. */
export function tableRow(record: TableRecord): TableRow {
  const { unread, ...fields } = record;
  return {
    ...unread,
    ...toStoredFields(fields),
    kind: "table",
    key: record.id.toLowerCase(),
    view_key: record.viewName.toLowerCase(),
  } as TableRow;
}

/** The row of a bucket's folder. */
export function folderRow(bucket: string, folder: string): FolderRow {
  return {
    kind: "folder",
    key: bucket,
    folder,
    source: null,
    bucket: null,
    query_mode: null,
    view_key: null,
  };
}

/** The folders of rows, by bucket. */
export function foldersOf(rows: readonly Versioned<RegistryRow>[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    rows.flatMap(({ record }) => (record.kind === "folder" ? [[record.key, record.folder]] : [])),
  );
}

/**
 * The table of a row. Fields missing from rows of older versions have their defaults. Fields that this version does
 * not read are kept unchanged.
 */
export function recordOf(row: RegistryRow): TableRecord | null {
  if (row.kind !== "table") return null;
  const record = {
    ...tableDefaults,
    ...fromStoredFields(withoutEarlierDefault(row)),
  } as unknown as TableRecord;
  const { unread } = withoutUnread(row);
  return {
    id: tableId(row.source, row.name),
    ...settingsOf(record),
    registeredBy: record.registeredBy,
    registeredAt: record.registeredAt,
    ...(unread === undefined ? {} : { unread }),
  };
}

/** The table of a versioned row. */
export function registered(found: Versioned<RegistryRow>): RegisteredTable {
  return { ...recordOf(found.record)!, version: found.version };
}
