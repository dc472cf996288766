import { AgnesError, shown } from "../base/mod.ts";
import { keyText } from "./keys.ts";
import type { CatalogSchema, IndexValue, JsonRecord, JsonValue } from "./storage.ts";

/** The schema that `openCatalog` was asked for, checked. Throws `invalid_input`. */
export function toSchema(rowKey: string | readonly string[], indexKeys: readonly string[]): CatalogSchema {
  const fields = typeof rowKey === "string" ? [rowKey] : [...rowKey];
  if (fields.length === 0) invalidSchema("rowKey", "it needs a field");
  for (const [what, names] of [
    ["rowKey", fields],
    ["indexKeys", indexKeys],
  ] as const) {
    if (names.some((name) => typeof name !== "string" || name === "")) {
      invalidSchema(what, "a field needs a name");
    }
    if (new Set(names).size !== names.length) invalidSchema(what, "a field is named twice");
  }
  return { rowKey: fields, indexKeys: [...indexKeys].sort() };
}

/** Throws `catalog_schema_differs` unless both are the same. */
export function checkSchema(catalog: string, locked: CatalogSchema, given: CatalogSchema): void {
  const both = { locked: schemaText(locked), given: schemaText(given) };
  if (both.locked !== both.given) throw new AgnesError("catalog_schema_differs", { catalog, ...both });
}

/** Whether a value can be asked for in an index. */
export function isIndexValue(value: unknown): value is IndexValue {
  return (
    value === null ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value))
  );
}

/** One text per index value; different values, and values of different types, have different texts. */
export function indexText(value: IndexValue): string {
  if (typeof value === "string") return `s${value}`;
  return value === null ? "z" : `${typeof value === "number" ? "n" : "b"}${String(value)}`;
}

/** The value of an index key in a record that was checked. */
export function indexValueOf(record: JsonRecord, field: string): IndexValue {
  return record[field] as IndexValue;
}

/**
 * A record as it will be stored: a deep copy, fields that are `undefined` left out.
 *
 * @throws `catalog_record_invalid` naming the field that JSON cannot hold, or a key that is missing
 */
export function toStored(catalog: string, schema: CatalogSchema, record: object): JsonRecord {
  const invalid = (field: string, reason: string): never => {
    throw new AgnesError("catalog_record_invalid", { catalog, field, reason });
  };
  const stored = copyJson(record, "record", invalid);
  if (stored === null || typeof stored !== "object" || Array.isArray(stored)) {
    return invalid("record", "should be an object");
  }
  const fields = stored as JsonRecord;
  for (const field of schema.rowKey) {
    if (typeof fields[field] !== "string") invalid(field, `is part of the row key and should be a string`);
  }
  for (const field of schema.indexKeys) {
    if (!Object.hasOwn(fields, field)) invalid(field, "is an index key and is missing");
    if (!isIndexValue(fields[field])) {
      invalid(field, "is an index key and should be a string, a number, a boolean or null");
    }
  }
  return fields;
}

/** The key of a stored record. */
export function keyOf(schema: CatalogSchema, record: JsonRecord): string {
  return keyText(schema.rowKey.map((field) => record[field] as string));
}

function schemaText(schema: CatalogSchema): string {
  return `row key ${schema.rowKey.map((name) => shown(name)).join(" + ")} and index keys ${
    schema.indexKeys.map((name) => shown(name)).join(", ") || "none"
  }`;
}

function copyJson(value: unknown, path: string, invalid: (path: string, reason: string) => never): JsonValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    return Number.isFinite(value) ? value : invalid(path, `is ${value}, which JSON cannot hold`);
  }
  if (typeof value !== "object") return invalid(path, `is a ${typeof value}, which JSON cannot hold`);
  if (Array.isArray(value)) return value.map((item, at) => copyJson(item, `${path}[${at}]`, invalid));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    return invalid(path, "is an object of a class, which JSON cannot hold");
  }
  const entries = Object.entries(value as Record<string, unknown>)
    .filter(([, item]) => item !== undefined)
    .map(([name, item]): [string, JsonValue] => [
      name,
      copyJson(item, path === "record" ? name : `${path}.${name}`, invalid),
    ]);
  return Object.fromEntries(entries);
}

function invalidSchema(what: string, reason: string): never {
  throw new AgnesError("invalid_input", { what: `${what} of the catalog`, reason });
}
