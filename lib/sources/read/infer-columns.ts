import {
  arrow,
  binary,
  bool,
  float64,
  int64,
  json,
  timestamp,
  utf8,
  type Column,
  type Row,
} from "../../kit/mod.ts";

/** The kind of a value, which determines the type of its column. */
type Kind = "bool" | "integer" | "number" | "timestamp" | "bytes" | "text" | "nested";

/**
 * Infers the columns of row objects of an undescribed table: one for each key, in order of appearance.
 *
 * The type is the narrowest of BOOLEAN, BIGINT, DOUBLE, TIMESTAMP, BLOB and VARCHAR that fits all values. Mixed values
 * are text; lists and objects are JSON. A published column keeps its type if that fits the values.
 *
 * @param published the published columns by name
 */
export function inferColumns(
  rows: readonly Row[],
  published: ReadonlyMap<string, arrow.Field>,
): arrow.Schema {
  const kinds = new Map<string, Set<Kind>>();
  for (const row of rows) {
    for (const [key, value] of Object.entries(row)) {
      const known = kinds.get(key) ?? new Set<Kind>();
      kinds.set(key, known);
      const kind = kindOf(value);
      if (kind !== null) known.add(kind);
    }
  }
  const names = [...new Set([...published.keys(), ...kinds.keys()])];
  return new arrow.Schema(
    names.map((name) => fieldOf(name, kinds.get(name) ?? new Set(), published.get(name))),
  );
}

function fieldOf(name: string, kinds: ReadonlySet<Kind>, published: arrow.Field | undefined): arrow.Field {
  if (kinds.size === 0 && published !== undefined) return new arrow.Field(name, published.type, true);
  const wasText = published !== undefined && arrow.DataType.isUtf8(published.type);
  const wasDouble = published !== undefined && arrow.DataType.isFloat(published.type);
  const { type } = columnOf(wasText ? new Set([...kinds, "text"]) : kinds, wasDouble);
  return new arrow.Field(name, type, true);
}

function columnOf(kinds: ReadonlySet<Kind>, wasDouble: boolean): Column {
  const [only] = kinds;
  if (kinds.has("nested")) return json();
  if (kinds.size === 1) {
    if (only === "bool") return bool();
    if (only === "integer") return wasDouble ? float64() : int64();
    if (only === "number") return float64();
    if (only === "timestamp") return timestamp();
    if (only === "bytes") return binary();
    return utf8();
  }
  return kinds.size === 2 && kinds.has("integer") && kinds.has("number") ? float64() : utf8();
}

function kindOf(value: unknown): Kind | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? "integer" : "text";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "integer" : "number";
  if (value instanceof Date) return "timestamp";
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return "bytes";
  return typeof value === "object" ? "nested" : "text";
}
