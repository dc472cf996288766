import { isDeepStrictEqual } from "node:util";

import { AgnesError } from "../../base/mod.ts";
import { columnMetadataProblem, mergedColumnMetadata } from "./column-metadata.ts";
import { defaultName, splitSourceTable, tableId, withoutDoubledBucket } from "./names.ts";
import { checkRules } from "./rules.ts";
import { tableDefaults, type CheckedChange, type TableRecord, type TableSettings } from "./settings.ts";
import { libraryDocumentationKeys, tableFieldNames } from "./stored-fields.ts";

/**
 * The settings of a new table: the fields of the change, and defaults for the others.
 *
 * @throws `table_field_missing`, `table_contradiction`
 */
export function newSettings(change: CheckedChange, what: string): TableSettings {
  const source = change.source ?? missing(what, "source", "a table belongs to a source of agnes.yaml");
  const sourceTable = change.sourceTable ?? null;
  const name =
    change.name ??
    (sourceTable === null
      ? missing(what, "name", "there is no source_table to take it from")
      : defaultName(sourceTable));
  const bucket = change.bucket ?? (sourceTable === null ? null : splitSourceTable(sourceTable).bucket);
  const base = { ...tableDefaults, source, name, viewName: name, bucket } as unknown as TableSettings;
  return merged(base, { ...change, source, name, bucket }, tableId(source, name));
}

/**
 * Applies a change to a registered table.
 *
 * @throws `table_field_fixed` if the change affects the identity of the table, `table_contradiction`
 */
export function changedRecord(record: TableRecord, change: CheckedChange): TableRecord {
  for (const field of ["source", "name"] as const) {
    if (change[field] !== undefined && change[field] !== record[field]) {
      throw new AgnesError("table_field_fixed", { id: record.id, field });
    }
  }
  return { ...record, ...merged(settingsOf(record), withMovedBucket(record, change), record.id) };
}

/** Updates a bucket that was derived from the source's own name when that name changes. */
function withMovedBucket(record: TableRecord, change: CheckedChange): CheckedChange {
  if (typeof change.sourceTable !== "string" || change.bucket !== undefined) return change;
  const isDerived =
    record.sourceTable !== null && splitSourceTable(record.sourceTable).bucket === record.bucket;
  return isDerived ? { ...change, bucket: splitSourceTable(change.sourceTable).bucket } : change;
}

/** The settings of a record, without its id and registration. */
export function settingsOf(record: TableRecord): TableSettings {
  return Object.fromEntries(
    tableFieldNames.map((field) => [field, record[field]]),
  ) as unknown as TableSettings;
}

/**
 * The fields that differ between two states of a table, in display order: for a new table those that differ from their
 * default, for an unregistered one none.
 */
export function changedFields(
  before: TableSettings | null,
  after: TableSettings | null,
): readonly (keyof TableSettings)[] {
  if (after === null) return [];
  if (before === null) return Object.keys(nonDefaultFields(after)) as (keyof TableSettings)[];
  return tableFieldNames.filter((field) => !isDeepStrictEqual(before[field], after[field]));
}

/** The settings that differ from their default. */
export function nonDefaultFields(settings: TableSettings): Partial<TableSettings> {
  const entries = tableFieldNames
    .filter(
      (field) =>
        field === "source" || field === "name" || !isDeepStrictEqual(settings[field], tableDefaults[field]),
    )
    .map((field) => [field, settings[field]]);
  return Object.fromEntries(entries) as Partial<TableSettings>;
}

function merged(base: TableSettings, change: CheckedChange, id: string): TableSettings {
  const entries = tableFieldNames.map((field): [string, unknown] => {
    const value = change[field];
    if (value === undefined) return [field, base[field]];
    if (field === "documentation" && value !== null) {
      return [field, mergedDocumentation(base.documentation, change.documentation!)];
    }
    if (field === "columnMetadata" && value !== null) {
      return [field, mergedColumns(base.columnMetadata, change.columnMetadata!, id)];
    }
    if (field === "viewName" && value === null) return [field, base.name];
    return [field, value ?? tableDefaults[field as keyof typeof tableDefaults]];
  });
  const settings = Object.fromEntries(entries) as unknown as TableSettings;
  const sourceTable =
    settings.sourceTable === null ? null : withoutDoubledBucket(id, settings.bucket, settings.sourceTable);
  checkRules({ ...settings, sourceTable }, id);
  return { ...settings, sourceTable };
}

function mergedColumns(
  base: TableSettings["columnMetadata"],
  change: NonNullable<CheckedChange["columnMetadata"]>,
  id: string,
): TableSettings["columnMetadata"] {
  const both = mergedColumnMetadata(base, change);
  const reason = columnMetadataProblem(both);
  if (reason !== undefined)
    throw new AgnesError("table_field_invalid", { what: id, field: "column_metadata", reason });
  return both;
}

function mergedDocumentation(
  base: TableSettings["documentation"],
  change: NonNullable<CheckedChange["documentation"]>,
): TableSettings["documentation"] {
  const both: Readonly<Record<string, unknown>> = { ...base, ...change };
  // In a fixed order, so that the output depends only on the content of the registry.
  const entries = libraryDocumentationKeys.map((key) => [key, both[key]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

function missing(what: string, field: string, reason: string): never {
  throw new AgnesError("table_field_missing", { what, field, reason });
}
