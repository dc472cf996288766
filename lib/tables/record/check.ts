import * as v from "valibot";

import { AgnesError, nearest, formatValue } from "../../base/mod.ts";
import { parseSchedule } from "../schedule.ts";
import { isPlainObject, kindOf } from "./json.ts";
import { bucketFolder, storedFieldNames, tableChange } from "./schema.ts";
import type { CheckedChange } from "./settings.ts";
import { fromStoredFields, toStoredChange } from "./stored-fields.ts";
import { unknownField } from "./unknown-field.ts";

/**
 * Checks the content of a change in its stored form, and returns it as the library names it.
 *
 * @param what the name of the content in errors: the table's id, or a place in a file
 * @throws `table_field_unknown` with the nearest field, `table_field_missing`, `table_field_invalid`,
 * `schedule_invalid`
 */
export function checkStoredChange(content: unknown, what: string): CheckedChange {
  if (!isPlainObject(content)) {
    throw invalid(what, "the content", `should be an object of fields, but is ${kindOf(content)}`);
  }
  // Checked here, because valibot accepts keys that all objects inherit (`constructor`, `__proto__`) as known.
  const unknown = Object.keys(content).find((key) => !Object.hasOwn(tableChange.entries, key));
  if (unknown !== undefined) throw unknownField(what, unknown, { key: unknown, known: storedFieldNames });
  const result = v.safeParse(tableChange, content);
  if (result.success) return fromStoredFields(result.output);
  throw issueError(result.issues[0], what);
}

/** `checkStoredChange` for a change as the library names it. */
export function checkChange(change: unknown, what: string): CheckedChange {
  return checkStoredChange(toStoredChange(change, what), what);
}

/**
 * Checks the folder of a bucket; `null` means none.
 * @throws `table_field_invalid`
 */
export function checkFolder(bucket: string, folder: string | null, what = "the folders"): void {
  const result = v.safeParse(bucketFolder, { bucket, folder });
  if (result.success) return;
  const [issue] = result.issues;
  throw invalid(what, `folder_mapping of ${formatValue(bucket, 60)}`, issue.message);
}

/** Fields that contain names. Errors omit the values of other fields, which may contain anything. */
const NAMES: ReadonlySet<string> = new Set([
  "source",
  "name",
  "view_name",
  "source_table",
  "bucket",
  "dataset",
  "folder",
  "primary_key",
  "columns",
  "incremental_column",
  "partition_by",
]);

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  custom: "an object of fields",
  strict_object: "an object of fields",
  string: "text",
  number: "a number",
  boolean: "true or false",
  union: "text, a number, or true or false",
};

function issueError(issue: v.BaseIssue<unknown>, what: string): AgnesError {
  const keys = (issue.path ?? []).map((item) => String(item.key));
  const field = formatPath(keys);
  if (keys[0] === "sync_schedule" && typeof issue.input === "string") parseSchedule(issue.input);
  if (issue.type === "picklist") return picklistError(issue, schemaAt(keys)?.options ?? [], what, field);
  if (issue.type === "strict_object" && issue.expected === "never") {
    const known = Object.keys(schemaAt(keys.slice(0, -1))?.entries ?? {});
    return unknownField(what, field, { key: keys.at(-1)!, known });
  }
  if (issue.kind === "schema") {
    if (issue.input === undefined) {
      return new AgnesError("table_field_missing", { what, field, reason: `${keys[0]} needs it` });
    }
    return invalid(
      what,
      field,
      `should be ${TYPE_NAMES[issue.type] ?? "of another kind"}, but is ${kindOf(issue.input)}`,
    );
  }
  const isName = NAMES.has(keys[0]!) && typeof issue.input === "string";
  return invalid(
    what,
    field,
    isName ? `${issue.message}, but is ${formatValue(issue.input, 60)}` : issue.message,
  );
}

/** Common spellings of filter operators. */
const OTHER_OPERATORS: ReadonlyMap<string, string> = new Map([
  ["=", "eq"],
  ["==", "eq"],
  ["!=", "ne"],
  ["<>", "ne"],
  ["neq", "ne"],
  [">", "gt"],
  [">=", "ge"],
  ["gte", "ge"],
  ["<", "lt"],
  ["<=", "le"],
  ["lte", "le"],
]);

function picklistError(
  issue: v.BaseIssue<unknown>,
  options: readonly string[],
  what: string,
  field: string,
): AgnesError {
  const seen = typeof issue.input === "string" ? formatValue(issue.input, 60) : kindOf(issue.input);
  const input = typeof issue.input === "string" ? issue.input.slice(0, 60) : undefined;
  const meant = input === undefined ? undefined : (OTHER_OPERATORS.get(input.toLowerCase()) ?? input);
  const near = meant === undefined ? undefined : nearest(meant, options);
  return invalid(what, field, `should be one of ${options.join(", ")}, but is ${seen}`, near);
}

function invalid(what: string, field: string, reason: string, near?: string): AgnesError {
  return new AgnesError("table_field_invalid", {
    what,
    field,
    reason,
    ...(near === undefined ? {} : { nearest: near }),
  });
}

interface SchemaShape {
  readonly entries?: Readonly<Record<string, SchemaShape>>;
  readonly item?: SchemaShape;
  readonly wrapped?: SchemaShape;
  readonly options?: readonly string[];
}

/** The schema at a path. */
function schemaAt(path: readonly string[]): SchemaShape | undefined {
  let current = tableChange as unknown as SchemaShape | undefined;
  for (const key of path) current = unwrapped(current?.entries?.[key] ?? current?.item);
  return current;
}

function unwrapped(schema: SchemaShape | undefined): SchemaShape | undefined {
  return schema?.wrapped === undefined ? schema : unwrapped(schema.wrapped);
}

/** Formats a path: `where_filters[0].column`. */
export function formatPath(path: readonly string[]): string {
  return path
    .map((key, index) => (/^[0-9]+$/.test(key) ? `[${key}]` : index === 0 ? key : `.${key}`))
    .join("");
}
