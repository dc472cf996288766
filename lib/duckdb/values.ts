import { Buffer } from "node:buffer";

import * as duckdb from "@duckdb/node-api";
import native from "@duckdb/node-bindings";
import { DataType } from "apache-arrow";

import { AgnesError, counted, formatValue } from "../base/mod.ts";
import { isQueryArray, type QueryArray } from "../kit/mod.ts";
import { listValue } from "./list-value.ts";

/**
 * A value for a parameter. Safe integers bind as `BIGINT`, other numbers as `DOUBLE`, dates as `TIMESTAMP`, arrays as lists
 * of their type.
 */
type SqlValue = string | number | bigint | boolean | null | Date | Uint8Array | QueryArray;

/** The parameters of a statement: a list for `$1`, `$2` …, or an object for `$name` …. */
export type SqlParameters = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;

/**
 * Binds all parameters of a prepared statement.
 * @throws `invalid_input` if a parameter has no value, a value has no parameter, or a value cannot be bound
 */
export function bindParameters(prepared: native.PreparedStatement, values: SqlParameters): void {
  const names = namesOf(prepared);
  if (!isList(values)) return bindNamed(prepared, names, values);
  if (names.length !== values.length) {
    const reason = `the statement takes ${counted(names.length, "parameter")}, but ${values.length} ${values.length === 1 ? "was" : "were"} passed`;
    throw invalidParameters(reason);
  }
  for (const [index, value] of values.entries()) bindParameter(prepared, index + 1, value, `$${index + 1}`);
}

/** Returns the names of the parameters by position; the names of numbered ones are their numbers. */
function namesOf(prepared: native.PreparedStatement): readonly string[] {
  return Array.from({ length: native.nparams(prepared) }, (_, at) => {
    try {
      return native.parameter_name(prepared, at + 1);
    } catch {
      // DuckDB binds numbered parameters by position.
      throw invalidParameters(
        `the statement has no parameter $${at + 1}; number its parameters from $1, without gaps`,
      );
    }
  });
}

function invalidParameters(reason: string): AgnesError {
  return new AgnesError("invalid_input", { what: "the list of parameters", reason });
}

function bindNamed(
  prepared: native.PreparedStatement,
  names: readonly string[],
  values: Readonly<Record<string, SqlValue>>,
): void {
  if (!isRecord(values))
    throw invalidParameters(`it is ${formatValue(values)}, but should be an array or an object`);
  const byName = new Map<string, { readonly name: string; readonly value: SqlValue }>();
  for (const [name, value] of Object.entries(values)) {
    // DuckDB ignores the case of parameter names.
    const folded = name.toLowerCase();
    const other = byName.get(folded);
    if (other !== undefined) {
      throw invalidParameters(
        `the names ${formatValue(other.name)} and ${formatValue(name)} differ only in case, and are the same parameter`,
      );
    }
    byName.set(folded, { name, value });
  }
  const missing = names.find((name) => byName.get(name.toLowerCase())?.value === undefined);
  if (missing !== undefined) throw invalidParameters(`the parameter ${formatValue(missing)} has no value`);
  const used = new Set(names.map((name) => name.toLowerCase()));
  const unused = Object.keys(values).find((name) => !used.has(name.toLowerCase()));
  if (unused !== undefined) throw invalidParameters(`the statement has no parameter ${formatValue(unused)}`);
  for (const [at, name] of names.entries())
    bindParameter(prepared, at + 1, byName.get(name.toLowerCase())!.value, formatValue(name));
}

function isRecord(values: unknown): boolean {
  if (typeof values !== "object" || values === null) return false;
  const prototype: unknown = Object.getPrototypeOf(values);
  return prototype === Object.prototype || prototype === null;
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
const INT128_MIN = -(2n ** 127n);
const INT128_MAX = 2n ** 127n - 1n;

/** @param name the name of the parameter in errors */
function bindParameter(
  prepared: native.PreparedStatement,
  index: number,
  value: SqlValue,
  name: string,
): void {
  if (isArrayValue(value)) return native.bind_value(prepared, index, listValue(value, name));
  const problem = valueProblem(value);
  if (problem !== undefined)
    throw new AgnesError("invalid_input", { what: `the parameter ${name}`, reason: problem });
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

function isArrayValue(value: SqlValue): value is QueryArray {
  if (value instanceof Uint8Array || Array.isArray(value) || !isQueryArray(value)) return false;
  return Array.isArray((value as Partial<QueryArray>).values) && value.type instanceof DataType;
}

/** Returns why a value cannot be bound; `undefined` if it can. */
function valueProblem(value: unknown): string | undefined {
  if (typeof value === "boolean" || typeof value === "number" || value === null) return undefined;
  if (typeof value === "string") {
    return /\p{Surrogate}/u.test(value)
      ? `${formatValue(value)} contains half of a surrogate pair, which is not Unicode text`
      : undefined;
  }
  if (typeof value === "bigint")
    return value < INT128_MIN || value > INT128_MAX ? `${value} does not fit into 128 bits` : undefined;
  if (value instanceof Uint8Array) return undefined;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "it is an invalid Date" : undefined;
  const kind = Array.isArray(value) ? "a list" : `of the type ${typeof value}`;
  return `it is ${kind}, but should be text, a number, a bigint, a boolean, null, a Date, a Uint8Array or a typed array`;
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
