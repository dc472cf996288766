import { AgnesError, isAgnesError, formatValue } from "../../base/mod.ts";
import type { DocumentTable, ImportFailure } from "../import.ts";
import { checkFolder, isPlainObject, kindOf, tableId } from "../record/mod.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Checks that an entry of a document is an object of fields. */
export function checkedEntry(entry: unknown, what: string): Fields {
  if (isPlainObject(entry)) return entry;
  throw invalid(what, "the entry", `should be an object of fields, but is ${kindOf(entry)}`);
}

/** The table of an entry. Its id must match its source and name; a missing name is taken from the id. */
export function documentTable(entry: Fields, what: string): DocumentTable {
  const { id, registered_by: by, registered_at: at, ...fields } = entry;
  const { source, name = nameIn(id, source) } = fields;
  if (id !== undefined && typeof source === "string") {
    if (name === undefined) throw invalid(what, "id", `should begin with ${formatValue(`${source}.`)}`);
    if (typeof name === "string" && id !== tableId(source, name))
      throw invalid(what, "id", `should be ${formatValue(tableId(source, name))}`);
  }
  return {
    ...fields,
    ...(name === undefined ? {} : { name }),
    ...(by === undefined ? {} : { registered_by: checkedActor(by, what) }),
    ...(at === undefined ? {} : { registered_at: checkedInstant(at, what) }),
  } as DocumentTable;
}

/** The folders of the folder mappings of a document. With `skipInvalid`, invalid ones are listed. */
export function checkedFolders(
  mappings: readonly unknown[],
  { path, skipInvalid = false }: { readonly path: string; readonly skipInvalid?: boolean },
): { readonly folders: Readonly<Record<string, string>>; readonly invalid: readonly ImportFailure[] } {
  const folders: [string, string][] = [];
  const failures: ImportFailure[] = [];
  for (const [bucket, folder] of mappings.flatMap((mapping) => folderEntries(mapping, path))) {
    try {
      folders.push([bucket, checkedFolder(bucket, folder, path)]);
    } catch (error) {
      if (!skipInvalid || !isAgnesError(error)) throw error;
      failures.push({ table: `folder_mapping of ${bucket}`, code: error.code, message: error.message });
    }
  }
  // Not by assignment, which would set the prototype for a bucket called `__proto__`.
  return { folders: Object.fromEntries(folders), invalid: failures };
}

function folderEntries(mapping: unknown, path: string): readonly (readonly [string, unknown])[] {
  if (mapping === undefined || mapping === null) return [];
  if (isPlainObject(mapping)) return Object.entries(mapping);
  throw invalid(path, "folder_mapping", `should be an object, but is ${kindOf(mapping)}`);
}

function checkedFolder(bucket: string, folder: unknown, path: string): string {
  if (typeof folder !== "string") {
    const field = `folder_mapping of ${formatValue(bucket, 60)}`;
    throw invalid(path, field, `should be text, but is ${kindOf(folder)}`);
  }
  checkFolder(bucket, folder, path);
  return folder;
}

function nameIn(id: unknown, source: unknown): string | undefined {
  if (typeof id !== "string" || typeof source !== "string") return undefined;
  return id.startsWith(`${source}.`) ? id.slice(source.length + 1) : undefined;
}

function checkedActor(value: unknown, what: string): string {
  if (typeof value === "string" && value.length <= 200) return value;
  throw invalid(what, "registered_by", "should be text of at most 200 characters");
}

/** A time with its zone, because without one its meaning depends on the machine. */
const INSTANT = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

function checkedInstant(value: unknown, what: string): string {
  const at = typeof value === "string" && INSTANT.test(value) ? new Date(value) : undefined;
  if (at !== undefined && !Number.isNaN(at.getTime())) return at.toISOString();
  throw invalid(what, "registered_at", "should be a time in ISO 8601 format with a time zone");
}

function invalid(what: string, field: string, reason: string): AgnesError {
  return new AgnesError("table_field_invalid", { what, field, reason });
}
