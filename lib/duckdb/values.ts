import { Buffer } from "node:buffer";

import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";

import { AgnesError, counted, formatValue } from "../base/mod.ts";

/** A value for a parameter. Safe integers bind as `BIGINT`, other numbers as `DOUBLE`, dates as `TIMESTAMP`. */
type SqlValue = string | number | bigint | boolean | null | Date | Uint8Array;

/** The parameters of a statement: a list for `$1`, `$2` …, or an object for `$name` …. */
export type SqlParameters = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;

/**
 * Binds all parameters of a prepared statement.
 * @throws `invalid_input` if a parameter has no value or a value has no parameter
 */
export function bindParameters(prepared: native.PreparedStatement, values: SqlParameters): void {
  const expected = native.nparams(prepared);
  if (!isList(values)) return bindNamed(prepared, expected, values);
  if (expected !== values.length) {
    const reason = `the statement takes ${counted(expected, "parameter")}, but ${values.length} ${values.length === 1 ? "was" : "were"} passed`;
    throw new AgnesError("invalid_input", { what: "the list of parameters", reason });
  }
  for (const [index, value] of values.entries()) bindParameter(prepared, index + 1, value);
}

function bindNamed(
  prepared: native.PreparedStatement,
  expected: number,
  values: Readonly<Record<string, SqlValue>>,
): void {
  // DuckDB ignores the case of parameter names.
  const byName = new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]));
  const names = Array.from({ length: expected }, (_, at) => native.parameter_name(prepared, at + 1));
  const missing = names.find((name) => byName.get(name.toLowerCase()) === undefined);
  const unused = Object.keys(values).find(
    (name) => !names.some((one) => one.toLowerCase() === name.toLowerCase()),
  );
  if (missing !== undefined || unused !== undefined) {
    const reason =
      missing === undefined
        ? `the statement has no parameter ${formatValue(unused)}`
        : `the parameter ${formatValue(missing)} has no value`;
    throw new AgnesError("invalid_input", { what: "the list of parameters", reason });
  }
  for (const [at, name] of names.entries())
    bindParameter(prepared, at + 1, byName.get(name.toLowerCase()) ?? null);
}

/** Returns whether there are any parameters. */
export function hasParameters(values: SqlParameters | undefined): boolean {
  return values !== undefined && (isList(values) ? values : Object.keys(values)).length > 0;
}

function isList(values: SqlParameters): values is readonly SqlValue[] {
  return Array.isArray(values);
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

function bindParameter(prepared: native.PreparedStatement, index: number, value: SqlValue): void {
  if (value === null) native.bind_null(prepared, index);
  else if (typeof value === "string") native.bind_varchar(prepared, index, value);
  else if (typeof value === "boolean") native.bind_boolean(prepared, index, value);
  else if (typeof value === "bigint") {
    if (value >= INT64_MIN && value <= INT64_MAX) native.bind_int64(prepared, index, value);
    else native.bind_hugeint(prepared, index, value);
  } else if (typeof value === "number") {
    const whole = Number.isSafeInteger(value) && !Object.is(value, -0);
    if (whole) native.bind_int64(prepared, index, BigInt(value));
    else native.bind_double(prepared, index, value);
  } else if (value instanceof Date) {
    native.bind_timestamp(prepared, index, { micros: BigInt(value.getTime()) * 1000n });
  } else native.bind_blob(prepared, index, value);
}

/**
 * Converts a DuckDB value to plain JavaScript: bytes to `Uint8Array`, lists to arrays, structs to objects, maps to arrays
 * of `{ key, value }`; dates, times, decimals and other types without a counterpart to DuckDB's text.
 */
export function plainValue(value: duckdb.DuckDBValue): unknown {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof duckdb.DuckDBBlobValue || value instanceof duckdb.DuckDBGeometryValue)
    return value.bytes;
  if (value instanceof duckdb.DuckDBListValue || value instanceof duckdb.DuckDBArrayValue) {
    return value.items.map(plainValue);
  }
  if (value instanceof duckdb.DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, item]) => [name, plainValue(item)]));
  }
  if (value instanceof duckdb.DuckDBMapValue) {
    return value.entries.map((entry) => ({ key: plainValue(entry.key), value: plainValue(entry.value) }));
  }
  if (value instanceof duckdb.DuckDBUnionValue) return plainValue(value.value);
  return textOf(value);
}

/**
 * Returns a value as JSON: numbers with all digits, bytes as base64, maps as arrays of `{key, value}`, a union as an
 * object of its one member, and NaN, infinity and all other values as DuckDB's text.
 */
function jsonText(value: duckdb.DuckDBValue): string {
  if (value === null) return "null";
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return `"${value}"`;
    return Object.is(value, -0) ? "-0" : String(value);
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof duckdb.DuckDBVariantValue) return jsonText(value.value);
  if (value instanceof duckdb.DuckDBDecimalValue) return String(value);
  if (value instanceof duckdb.DuckDBBlobValue || value instanceof duckdb.DuckDBGeometryValue) {
    return JSON.stringify(Buffer.from(value.bytes).toString("base64"));
  }
  if (value instanceof duckdb.DuckDBListValue || value instanceof duckdb.DuckDBArrayValue) {
    return `[${value.items.map(jsonText).join(",")}]`;
  }
  if (value instanceof duckdb.DuckDBMapValue) {
    return `[${value.entries.map((entry) => `{"key":${jsonText(entry.key)},"value":${jsonText(entry.value)}}`).join(",")}]`;
  }
  if (value instanceof duckdb.DuckDBStructValue) {
    const fields = Object.entries(value.entries);
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${jsonText(field)}`).join(",")}}`;
  }
  if (value instanceof duckdb.DuckDBUnionValue)
    return `{${JSON.stringify(value.tag)}:${jsonText(value.value)}}`;
  return JSON.stringify(textOf(value));
}

/** Returns a value as DuckDB's text in a session with time zone UTC. */
export function textOf(value: duckdb.DuckDBValue): string {
  if (value instanceof duckdb.DuckDBVariantValue || value instanceof duckdb.DuckDBUnionValue)
    return jsonText(value);
  // `toString` would use the time zone of the process.
  if (value instanceof duckdb.DuckDBTimestampTZValue) {
    const text = new duckdb.DuckDBTimestampValue(value.micros).toString();
    return text.endsWith("infinity") ? text : `${text}+00`;
  }
  return String(value);
}
