import * as v from "valibot";

import { AgnesError, formatValue, isAgnesError, nearest } from "../../base/mod.ts";
import type { Filter, JsonValue, SourceQuerySchema } from "../../kit/mod.ts";
import { filterProblem, resolveFilters, resolveText } from "../filters.ts";
import { checkStoredChange, formatPath } from "./check.ts";
import { isJson, isPlainObject, kindOf } from "./json.ts";

/** The parts of a JSON query. */
export interface SourceQuery {
  /** Default: the columns of the table's record. */
  readonly columns?: readonly string[];
  /** Default: the conditions of the table's record. */
  readonly filter?: readonly Filter[];
  /** Default: all rows. */
  readonly limit?: number;
  /** The fields that the plugin declares, with placeholders replaced. */
  readonly fields: Readonly<Record<string, JsonValue>>;
}

/** How the JSON queries of a plugin are read. */
export interface SourceQueryForm {
  readonly plugin: string;
  /** See `Plugin.sourceQuery`. */
  readonly schema: SourceQuerySchema;
  /** The reference date for placeholders. */
  readonly now: Date;
  /** Whether the query is that of a registered table, for errors. Default: `false`. */
  readonly isRegistered?: boolean;
}

const COMMON = {
  where_filters: [{ column: "status", operator: "eq", values: ["open"] }],
  columns: ["id", "status"],
  limit: 1000,
} as const;

const limit = v.pipe(
  v.number(),
  v.safeInteger("should be a whole number of rows"),
  v.minValue(1, "should be at least 1"),
);

type Problem = Pick<AgnesError<"source_query_invalid">["details"], "field" | "reason" | "nearest">;

/**
 * Parses the JSON query of a table. A field that is null is as if it were missing.
 *
 * @param id the id of the table, for errors
 * @throws `source_query_invalid`
 */
export function parseSourceQuery(text: string, id: string, form: SourceQueryForm): SourceQuery {
  const refuse = (problem: Problem): never => {
    const { isRegistered = false } = form;
    const details = { id, ...problem, form: formOf(form.schema), ...(isRegistered && { isRegistered }) };
    throw new AgnesError("source_query_invalid", details);
  };
  const value = parsedJson(text, form.plugin);
  if ("reason" in value) return refuse(value);
  const known = [...Object.keys(COMMON), ...Object.keys(entriesOf(form.schema))];
  const written = Object.entries(value.object).filter(([, one]) => one !== null);
  const unknown = Object.keys(value.object).find((key) => !known.includes(key));
  if (unknown !== undefined) return refuse(unknownField(unknown, known));
  const { where_filters, columns, limit: rows, ...own } = Object.fromEntries(written);
  const common = commonParts({ where_filters, columns }, id);
  if ("reason" in common) return refuse(common);
  const limited = v.safeParse(v.optional(limit), rows);
  if (!limited.success) return refuse(issueProblem(limited.issues[0], "limit"));
  const fields = resolvedFields(own, form.now);
  if ("reason" in fields) return refuse(fields.reason);
  const checked = v.safeParse(form.schema, fields.resolved);
  if (!checked.success) return refuse(issueProblem(checked.issues[0]));
  const { output: rowsMax } = limited;
  return {
    ...(common.columns == null ? {} : { columns: common.columns }),
    ...(common.whereFilters == null ? {} : { filter: resolveFilters(common.whereFilters, form.now) }),
    ...(rowsMax === undefined ? {} : { limit: rowsMax }),
    fields: fields.resolved,
  };
}

/**
 * Checks that a registered table has the columns that its query names.
 * @throws `source_query_invalid`
 */
export function checkQueriedColumns(
  { columns = [], filter = [] }: SourceQuery,
  id: string,
  known: readonly string[],
): void {
  const named = [
    ...columns.map((name, at) => [`columns[${at}]`, name] as const),
    ...filter.map(({ column }, at) => [`where_filters[${at}].column`, column] as const),
  ];
  const missing = named.find(([, name]) => !known.includes(name));
  if (missing === undefined) return;
  const [field, name] = missing;
  const near = nearest(name, known);
  const reason = `is ${formatValue(name, 60)}, which is not a column of the table`;
  const problem = { field, reason, ...(near === undefined ? {} : { nearest: near }) };
  throw new AgnesError("source_query_invalid", { id, ...problem, columns: known, isRegistered: true });
}

/** The form of the queries, with an example of each field. */
function formOf(schema: SourceQuerySchema): string {
  const fields = [
    ...Object.entries(COMMON).map(([name, example]) => [name, JSON.stringify(example)] as const),
    ...Object.entries(entriesOf(schema)).map(([name, entry]) => [name, exampleOf(entry)] as const),
  ];
  return `{${fields.map(([name, example]) => `${JSON.stringify(name)}: ${example}`).join(", ")}}`;
}

function parsedJson(
  text: string,
  plugin: string,
): { readonly object: Readonly<Record<string, unknown>> } | Problem {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const isSql = !text.trimStart().startsWith("{");
    return { reason: isSql ? `is not JSON, and ${plugin} does not run SQL` : "is not valid JSON" };
  }
  if (!isPlainObject(value)) return { reason: `should be a JSON object, but is ${kindOf(value)}` };
  // JSON.parse keeps the last one.
  if (namesIn(text) > keysOf(value)) return { reason: "has a field twice" };
  if (!isJson(value)) return { reason: "has a value that JSON does not represent exactly" };
  return hasUnsafeNumber(value)
    ? { reason: "has a whole number beyond 9007199254740991, which JSON does not keep exactly" }
    : { object: value };
}

/** The number of names of fields in a JSON text. */
function namesIn(text: string): number {
  return [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:?)/g)].filter(([, colon]) => colon === ":").length;
}

function keysOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, one) => sum + keysOf(one), own);
}

function hasUnsafeNumber(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnsafeNumber);
}

function unknownField(key: string, known: readonly string[]): Problem {
  const name = key.slice(0, 100).replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const near = nearest(name, known);
  const reason = `has no field ${JSON.stringify(key.slice(0, 60))}`;
  return near === undefined ? { reason } : { reason, nearest: near };
}

/** The fields that are those of a record, checked as there. */
function commonParts(fields: Readonly<Record<string, unknown>>, id: string) {
  try {
    return checkStoredChange(fields, id);
  } catch (error) {
    if (isAgnesError(error, "table_field_invalid")) {
      const { field, reason, nearest: near } = error.details;
      return { field, reason, ...(near === undefined ? {} : { nearest: near }) };
    }
    if (isAgnesError(error, "table_field_missing"))
      return { field: error.details.field, reason: "is missing" };
    if (!isAgnesError(error, "table_field_unknown")) throw error;
    const { field, nearest: near } = error.details;
    return { field, reason: "does not exist", ...(near === undefined ? {} : { nearest: near }) };
  }
}

/** Replaces the placeholders in all texts. */
function resolvedFields(
  fields: Readonly<Record<string, unknown>>,
  now: Date,
): { readonly resolved: Readonly<Record<string, JsonValue>> } | { readonly reason: Problem } {
  let reason: Problem | undefined;
  const resolve = (value: unknown, field: string): unknown => {
    if (typeof value === "string") {
      const problem = filterProblem([value]);
      if (problem !== undefined) reason ??= { field, reason: problem };
      return resolveText(value, now);
    }
    if (Array.isArray(value)) return value.map((one, at) => resolve(one, `${field}[${at}]`));
    if (!isPlainObject(value)) return value;
    const entries = Object.entries(value).map(([key, one]) => [key, resolve(one, `${field}.${key}`)]);
    return Object.fromEntries(entries);
  };
  const entries = Object.entries(fields).map(([key, one]) => [key, resolve(one, key)]);
  if (reason !== undefined) return { reason };
  return { resolved: Object.fromEntries(entries) as Readonly<Record<string, JsonValue>> };
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  boolean: "true or false",
  Array: "a list",
  Object: "an object",
};

function issueProblem(issue: v.BaseIssue<unknown>, name?: string): Problem {
  const path = name ?? formatPath((issue.path ?? []).map(({ key }) => String(key)));
  const field = path === "" ? {} : { field: path };
  const { expected } = issue;
  if (issue.type === "strict_object" && expected === "never") return { ...field, reason: "does not exist" };
  // Texts of valibot contain the value, which may be a misplaced secret.
  if (!issue.message.startsWith("Invalid ")) return { ...field, reason: issue.message };
  const kind = expected === null ? "of another form" : (TYPE_NAMES[expected] ?? expected);
  return { ...field, reason: `should be ${kind}, but is ${kindOf(issue.input)}` };
}

interface Entry {
  readonly wrapped?: Entry;
  readonly pipe?: readonly { readonly type: string; readonly examples?: readonly unknown[] }[];
}

/** The fields of a schema that the registry of plugins checked. */
const entriesOf = (schema: SourceQuerySchema): Readonly<Record<string, Entry>> =>
  (schema as unknown as { readonly entries: Readonly<Record<string, Entry>> }).entries;

function exampleOf({ wrapped, pipe = [] }: Entry): string {
  const [example] = pipe.flatMap(({ type, examples = [] }) => (type === "examples" ? examples : []));
  if (example !== undefined) return JSON.stringify(example);
  return wrapped === undefined ? "…" : exampleOf(wrapped);
}
