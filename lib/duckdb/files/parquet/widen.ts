import { formatType, scalar, type TypeTree } from "../type-tree.ts";

const SIGNED = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"];
const UNSIGNED = ["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"];
/** The number of digits of the greatest value, for decimals. */
const DIGITS = [3, 5, 10, 20, 39];
const DECIMAL_DIGITS_MAX = 38;
const TEXT_SOURCES =
  /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL|BOOLEAN|DATE|TIME|TIMESTAMP|TIMESTAMP_NS|UUID|JSON)$/;

/**
 * The type that holds all values of two types, or `null` if there is none. `DOUBLE` for long integers or decimals holds most
 * values; the read checks each one.
 */
export function widerType(one: TypeTree, other: TypeTree): TypeTree | null {
  if (one.kind === "scalar" && other.kind === "scalar") {
    return formatType(one) === formatType(other) ? one : widerScalar(one, other);
  }
  if (one.kind === "list" && other.kind === "list") {
    const element = widerType(one.element, other.element);
    return element === null
      ? null
      : { kind: "list", element, length: one.length === other.length ? one.length : null };
  }
  if (one.kind === "map" && other.kind === "map") {
    const key = widerType(one.key, other.key);
    const value = widerType(one.value, other.value);
    return key === null || value === null ? null : { kind: "map", key, value };
  }
  if (one.kind === "struct" && other.kind === "struct") return widerStruct(one, other);
  return null;
}

type Scalar = TypeTree & { readonly kind: "scalar" };
type Struct = TypeTree & { readonly kind: "struct" };

/** The fields of both, in order of first appearance. */
function widerStruct(one: Struct, other: Struct): TypeTree | null {
  const fields = new Map(one.fields);
  const folded = new Set([...fields.keys()].map((name) => name.toLowerCase()));
  for (const [name, type] of other.fields) {
    const own = fields.get(name);
    // DuckDB's names are case-insensitive.
    if (own === undefined && folded.has(name.toLowerCase())) return null;
    const wider = own === undefined ? type : widerType(own, type);
    if (wider === null) return null;
    fields.set(name, wider);
  }
  return { kind: "struct", fields: [...fields] };
}

function widerScalar(one: Scalar, other: Scalar): TypeTree | null {
  const names = [one.name, other.name];
  const isBoth = (...allowed: readonly string[]) => names.every((name) => allowed.includes(name));
  if (isBoth(...SIGNED, ...UNSIGNED)) return widerInteger(one.name, other.name);
  if (isBoth("FLOAT", "DOUBLE")) return scalar("DOUBLE");
  const isNumeric = (type: Scalar) =>
    SIGNED.includes(type.name) || UNSIGNED.includes(type.name) || type.name === "DECIMAL";
  if (isNumeric(one) && isNumeric(other)) return widerDecimal(one, other);
  const hasFloat = names.includes("FLOAT") || names.includes("DOUBLE");
  if (hasFloat && (isNumeric(one) || isNumeric(other))) return scalar("DOUBLE");
  if (isBoth("DATE", "TIMESTAMP")) return scalar("TIMESTAMP");
  if (isBoth("DATE", "TIMESTAMP", "TIMESTAMP_NS")) return scalar("TIMESTAMP_NS");
  const rest = names.filter((name) => name !== "VARCHAR");
  return rest.length === 1 && TEXT_SOURCES.test(rest[0]!) ? scalar("VARCHAR") : null;
}

function widerInteger(one: string, other: string): TypeTree | null {
  const signed = Math.max(SIGNED.indexOf(one), SIGNED.indexOf(other));
  const unsigned = Math.max(UNSIGNED.indexOf(one), UNSIGNED.indexOf(other));
  if (signed < 0) return scalar(UNSIGNED[unsigned]!);
  const wider = SIGNED[Math.max(signed, unsigned + 1)];
  return wider === undefined ? null : scalar(wider);
}

function widerDecimal(one: Scalar, other: Scalar): TypeTree | null {
  const scale = Math.max(scaleOf(one), scaleOf(other));
  const width = Math.max(wholeDigits(one), wholeDigits(other)) + scale;
  return width > DECIMAL_DIGITS_MAX
    ? null
    : { kind: "scalar", name: "DECIMAL", parameters: [String(width), String(scale)] };
}

const scaleOf = ({ name, parameters }: Scalar) => (name === "DECIMAL" ? Number(parameters[1]) : 0);

function wholeDigits(type: Scalar): number {
  if (type.name === "DECIMAL") return Number(type.parameters[0]) - scaleOf(type);
  const at = SIGNED.indexOf(type.name);
  // A BIGINT has at most 19 digits, a UBIGINT 20.
  return at === 3 ? 19 : DIGITS[at < 0 ? UNSIGNED.indexOf(type.name) : at]!;
}
