import { isPlainObject } from "./json.ts";
import { documentationKeys, storedFieldNames, type StoredFieldName } from "./schema.ts";
import { camelCase, unknownField } from "./unknown-field.ts";

/** The name of a field in the library: `viewName` for `view_name`. */
export type FieldName<Stored extends string> = Stored extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<FieldName<Tail>>}`
  : Stored;

/** Stored fields with the names of the library. */
export type LibraryFields<T> = T extends object
  ? {
      [K in keyof T as FieldName<K & string>]: K extends "documentation" ? LibraryFields<T[K]> : T[K];
    }
  : T;

// Fields are named in snake_case in the catalog, files, YAML and HTTP, and in camelCase in the library.
const libraryNames: ReadonlyMap<string, string> = new Map(
  [...storedFieldNames, "registered_by", "registered_at"].map((name) => [name, camelCase(name)]),
);
const storedNames: ReadonlyMap<string, string> = inverted(libraryNames);
const documentationNames: ReadonlyMap<string, string> = new Map(
  documentationKeys.map((name) => [name, camelCase(name)]),
);
const storedDocumentationNames = inverted(documentationNames);

/** The parts of the documentation, in display order, as named in the library. */
export const libraryDocumentationKeys: readonly string[] = [...documentationNames.values()];

/** The fields of a table, in display order, as named in the library. */
export const tableFieldNames = storedFieldNames.map(camelCase) as readonly FieldName<StoredFieldName>[];

/** The stored name of a field; a name that is no field is returned unchanged. */
export function storedName(field: string): string {
  return storedNames.get(field) ?? field;
}

/** The name of a stored field in the library; a name that is no field is returned unchanged. */
export function libraryName(field: string): string {
  return libraryNames.get(field) ?? field;
}

/** The fields of a table with their stored names. Other properties are kept. */
export function toStoredFields<T extends object>(fields: T): Readonly<Record<string, unknown>> {
  return renamed(fields, storedNames, storedDocumentationNames);
}

/** The inverse of `toStoredFields`. */
export function fromStoredFields<T extends object>(stored: T): LibraryFields<T> {
  return renamed(stored, libraryNames, documentationNames) as LibraryFields<T>;
}

/**
 * The stored form of a change. Its values are not checked.
 * @throws `table_field_unknown` with the nearest field
 */
export function toStoredChange(change: unknown, what: string): unknown {
  if (!isPlainObject(change)) return change;
  const known = tableFieldNames as readonly string[];
  for (const field of Object.keys(change))
    if (!known.includes(field)) throw unknownField(what, field, { key: field, known });
  const { documentation } = change;
  const parts = libraryDocumentationKeys;
  for (const part of isPlainObject(documentation) ? Object.keys(documentation) : [])
    if (!parts.includes(part)) throw unknownField(what, `documentation.${part}`, { key: part, known: parts });
  return toStoredFields(change);
}

function renamed(
  fields: object,
  names: ReadonlyMap<string, string>,
  partNames: ReadonlyMap<string, string>,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(fields).map(([name, value]: [string, unknown]) => [
    names.get(name) ?? name,
    name === "documentation" && isPlainObject(value) ? renamedKeys(value, partNames) : value,
  ]);
  return Object.fromEntries(entries);
}

function renamedKeys(parts: object, names: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, value]: [string, unknown]) => [names.get(name) ?? name, value]),
  );
}

function inverted(names: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...names].map(([stored, library]) => [library, stored]));
}
