import { formatValue } from "../../base/mod.ts";
import { entityTypes, type TableMetadata } from "../../kit/mod.ts";

type Check = (value: unknown) => string | undefined;

/** The check of each field; the type ensures that none is missing. */
const checks: { readonly [Field in keyof Required<TableMetadata>]: Check } = {
  name: textProblem,
  entityType: (value) =>
    (entityTypes as readonly unknown[]).includes(value) ? undefined : `should be ${entityTypes.join(", ")}`,
  rows: figureProblem,
  sizeBytes: figureProblem,
  columns: columnsProblem,
  partitionedBy: namesProblem,
  clusteredBy: namesProblem,
  modifiedAt: (value) =>
    value instanceof Date && !Number.isNaN(value.getTime()) ? undefined : "should be a valid Date",
};

/** Returns why the result of `metadata` is invalid; `undefined` if it is valid. */
export function metadataProblem(found: unknown): string | undefined {
  if (!Array.isArray(found)) return `it returned ${formatValue(found)}, which is not a list`;
  for (const one of found as readonly unknown[]) {
    if (!isRecord(one)) return `it returned ${formatValue(one)} for a table, which is not an object`;
    const problem = textProblem(one["name"]);
    if (problem !== undefined) return `the name of a table ${problem}, not ${formatValue(one["name"])}`;
    for (const [field, value] of Object.entries(one)) {
      const at = `${field} of table ${formatValue(one["name"])}`;
      if (!Object.hasOwn(checks, field))
        return `the field ${at} is unknown; known fields: ${Object.keys(checks).join(", ")}`;
      const reason = value === undefined ? undefined : checks[field as keyof TableMetadata](value);
      if (reason !== undefined) return `${at} ${reason}, not ${formatValue(value)}`;
    }
  }
  return undefined;
}

function textProblem(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? undefined : "should be a non-empty text";
}

function figureProblem(value: unknown): string | undefined {
  const isFigure = Number.isSafeInteger(value) && (value as number) >= 0;
  return isFigure ? undefined : "should be a non-negative integer, or missing if it is unknown";
}

function namesProblem(value: unknown): string | undefined {
  const isNames = Array.isArray(value) && value.every((name) => textProblem(name) === undefined);
  if (!isNames) return "should be a list of column names";
  return new Set(value).size === value.length ? undefined : "should name each column once";
}

function columnsProblem(value: unknown): string | undefined {
  if (!Array.isArray(value)) return "should be a list of columns";
  for (const column of value as readonly unknown[]) {
    if (!isRecord(column)) return "should be a list of columns";
    const { name, type, nullable, description } = column;
    const isColumn =
      textProblem(name) === undefined &&
      textProblem(type) === undefined &&
      (nullable === undefined || typeof nullable === "boolean") &&
      (description === undefined || typeof description === "string");
    if (!isColumn) return "should have a name and a type for each column";
  }
  return namesProblem(value.map((column: { readonly name: string }) => column.name));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
