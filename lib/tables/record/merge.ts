import { isDeepStrictEqual } from "node:util";

import { AgnesError } from "../../base/mod.ts";
import type { CheckedChange } from "./check.ts";
import { defaultName, splitSourceTable, tableId, withoutDoubledBucket } from "./names.ts";
import { checkRules } from "./rules.ts";
import {
  documentationKeys,
  tableDefaults,
  tableFieldNames,
  type TableRecord,
  type TableSettings,
} from "./schema.ts";

/**
 * The settings of a new table: what is given, and defaults for the rest.
 *
 * @throws `table_field_missing`, `table_contradiction`
 */
export function newSettings(change: CheckedChange, what: string): TableSettings {
  const source = change.source ?? missing(what, "source", "a table belongs to a source of agnes.yaml");
  const sourceTable = change.source_table ?? null;
  const name =
    change.name ??
    (sourceTable === null
      ? missing(what, "name", "there is no source_table to take it from")
      : defaultName(sourceTable));
  const bucket = change.bucket ?? (sourceTable === null ? null : splitSourceTable(sourceTable).bucket);
  const base = { ...tableDefaults, source, name, view_name: name, bucket } as unknown as TableSettings;
  return merged(base, { ...change, source, name, bucket }, tableId(source, name));
}

/**
 * A registered table with a change made to it.
 *
 * @throws `table_field_fixed` when the change touches the table's identity, `table_contradiction`
 */
export function changedRecord(record: TableRecord, change: CheckedChange): TableRecord {
  for (const field of ["source", "name"] as const) {
    if (change[field] !== undefined && change[field] !== record[field]) {
      throw new AgnesError("table_field_fixed", { id: record.id, field });
    }
  }
  return { ...record, ...merged(settingsOf(record), withMovedBucket(record, change), record.id) };
}

/** A bucket that was only read off the source's own name follows it. */
function withMovedBucket(record: TableRecord, change: CheckedChange): CheckedChange {
  if (typeof change.source_table !== "string" || change.bucket !== undefined) return change;
  const wasRead =
    record.source_table !== null && splitSourceTable(record.source_table).bucket === record.bucket;
  return wasRead ? { ...change, bucket: splitSourceTable(change.source_table).bucket } : change;
}

/** The settings of a record, without its id and who registered it. */
export function settingsOf(record: TableRecord): TableSettings {
  return Object.fromEntries(
    tableFieldNames.map((field) => [field, record[field]]),
  ) as unknown as TableSettings;
}

/**
 * The fields that differ between two states of a table, in the order in which people read them: of a new table
 * those that say something, of one that is gone none.
 */
export function changedFields(before: TableSettings | null, after: TableSettings | null): readonly string[] {
  if (after === null) return [];
  if (before === null) return Object.keys(givenFields(after));
  return tableFieldNames.filter((field) => !isDeepStrictEqual(before[field], after[field]));
}

/** The settings that are not what an absent field means. */
export function givenFields(settings: TableSettings): Partial<TableSettings> {
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
    if (field === "view_name" && value === null) return [field, base.name];
    return [field, value ?? tableDefaults[field as keyof typeof tableDefaults]];
  });
  const settings = Object.fromEntries(entries) as unknown as TableSettings;
  const source_table =
    settings.source_table === null ? null : withoutDoubledBucket(id, settings.bucket, settings.source_table);
  checkRules({ ...settings, source_table }, id);
  return { ...settings, source_table };
}

function mergedDocumentation(
  base: TableSettings["documentation"],
  change: NonNullable<CheckedChange["documentation"]>,
): TableSettings["documentation"] {
  const both: Readonly<Record<string, unknown>> = { ...base, ...change };
  // Always in the same order, so that the same registry is written the same way whatever led to it.
  const entries = documentationKeys.map((key) => [key, both[key]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

function missing(what: string, field: string, reason: string): never {
  throw new AgnesError("table_field_missing", { what, field, reason });
}
