import { AgnesError, formatValue } from "../base/mod.ts";
import { keyText } from "./keys.ts";
import type { CatalogSchema, IndexValue, JsonRecord, JsonValue } from "./storage.ts";

/**
 * The checked schema of the options of `openCatalog`.
 * @throws `invalid_input`
 */
export function toSchema(rowKey: string | readonly string[], indexKeys: readonly string[]): CatalogSchema {
  const fields = typeof rowKey === "string" ? [rowKey] : [...rowKey];
  if (fields.length === 0) invalidSchema("rowKey", "it should have at least one field");
  for (const [what, names] of [
    ["rowKey", fields],
    ["indexKeys", indexKeys],
  ] as const) {
    if (names.some((name) => typeof name !== "string" || name === "")) {
      invalidSchema(what, "field names should be strings that are not empty");
    }
    if (new Set(names).size !== names.length) invalidSchema(what, "a field occurs twice");
  }
  return { rowKey: fields, indexKeys: [...indexKeys].sort() };
}

/**
 * Checks that both schemas are the same.
 * @throws `catalog_schema_differs`
 */
export function checkSchema(catalog: string, locked: CatalogSchema, requested: CatalogSchema): void {
  const both = { locked: schemaText(locked), requested: schemaText(requested) };
  if (both.locked !== both.requested) throw new AgnesError("catalog_schema_differs", { catalog, ...both });
}

/** Whether an index can hold a value. */
export function isIndexValue(value: unknown): value is IndexValue {
  return (
    value === null ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value))
  );
}

/** A text that is unique for an index value and its type. */
export function indexText(value: IndexValue): string {
  if (typeof value === "string") return `s${value}`;
  return value === null ? "z" : `${typeof value === "number" ? "n" : "b"}${String(value)}`;
}

/** The value of an index key in a checked record. */
export function indexValueOf(record: JsonRecord, field: string): IndexValue {
  return record[field] as IndexValue;
}

/**
 * The record to store: a deep copy without `undefined` fields.
 *
 * @throws `catalog_record_invalid` naming a field that JSON cannot represent, or a missing key
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
  return `row key ${schema.rowKey.map((name) => formatValue(name)).join(" + ")} and index keys ${
    schema.indexKeys.map((name) => formatValue(name)).join(", ") || "none"
  }`;
}

function copyJson(value: unknown, path: string, invalid: (path: string, reason: string) => never): JsonValue {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") {
    return Number.isFinite(value) ? value : invalid(path, `is ${value}, which JSON cannot represent`);
  }
  if (typeof value !== "object") return invalid(path, `is a ${typeof value}, which JSON cannot represent`);
  if (Array.isArray(value)) return value.map((item, at) => copyJson(item, `${path}[${at}]`, invalid));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    return invalid(path, "is an object of a class, which JSON cannot represent");
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
