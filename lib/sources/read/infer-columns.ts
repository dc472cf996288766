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

/** What the values of a column are, as far as one type of a column can hold them. */
type Kind = "bool" | "integer" | "number" | "moment" | "bytes" | "text" | "nested";

/**
 * The columns of row objects whose table nobody described: every key, in the order in which they come.
 *
 * The narrowest of BOOLEAN, BIGINT, DOUBLE, TIMESTAMP, BLOB and VARCHAR that holds all values; mixed ones are text, and
 * lists and objects their JSON. A column that is published keeps a type that holds them.
 *
 * @param published the columns as they are published, by name
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

function fieldOf(name: string, kinds: ReadonlySet<Kind>, was: arrow.Field | undefined): arrow.Field {
  if (kinds.size === 0 && was !== undefined) return new arrow.Field(name, was.type, true);
  const wasText = was !== undefined && arrow.DataType.isUtf8(was.type);
  const wasDouble = was !== undefined && arrow.DataType.isFloat(was.type);
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
    if (only === "moment") return timestamp();
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
  if (value instanceof Date) return "moment";
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return "bytes";
  return typeof value === "object" ? "nested" : "text";
}
