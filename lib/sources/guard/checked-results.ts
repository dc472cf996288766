import { counted, formatValue, redactValue } from "../../base/mod.ts";
import type { ColumnToDescribe, Health, MetadataChange, QueryEstimate } from "../../kit/mod.ts";
import { checkPrice, fieldReader, type FieldReader } from "./field-reader.ts";

const ESTIMATE_FIELDS = [
  "rows",
  "scannedBytes",
  "maxScannedBytes",
  "price",
  "schema",
  "statementType",
  "referencedTables",
  "problem",
];
const RESULT_FIELDS = ["unchanged", "state", "kept", "isWhole", "tableRows"];

/**
 * Checks the estimate of a query.
 * @throws TypeError naming the field, without secrets
 */
export function checkedEstimate(estimate: QueryEstimate, secrets: Iterable<string>): QueryEstimate {
  const read = fieldReader("the estimate", secrets);
  const found = read.fields(estimate, "", ESTIMATE_FIELDS);
  const { rows, scannedBytes, maxScannedBytes, price } = found;
  read.figure(rows, "rows", true);
  read.figure(scannedBytes, "scannedBytes", true);
  read.figure(maxScannedBytes, "maxScannedBytes", true);
  checkPrice(price, read);
  checkFacts(found, read);
  return estimate;
}

/**
 * Checks the result of a health check, and redacts it.
 * @throws TypeError naming the field, without secrets
 */
export function checkedHealth(health: Health, secrets: Iterable<string>): Health {
  const read = fieldReader("the health", secrets);
  if (typeof health !== "object" || health === null) throw read.problem("", health, "is not an object");
  const { ok, message } = health;
  if (typeof ok !== "boolean") throw read.problem("ok", ok, "is not a boolean");
  if (typeof message !== "string") throw read.problem("message", message, "is not a text");
  return redactValue({ ok, message }, secrets);
}

/** Checks what is known of a query besides its cost. */
function checkFacts(
  { schema, statementType, referencedTables: tables, problem }: Readonly<Record<string, unknown>>,
  read: FieldReader,
): void {
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  if (schema !== undefined && !Array.isArray((schema as { readonly fields?: unknown } | null)?.fields))
    throw read.problem("schema", schema, "is not an Arrow schema");
  if (statementType !== undefined && !isText(statementType))
    throw read.problem("statementType", statementType, "is not the kind of a statement");
  if (tables !== undefined && !(Array.isArray(tables) && tables.every(isText)))
    throw read.problem("referencedTables", tables, "is not a list of names of tables");
  if (problem !== undefined && !(problem instanceof Error))
    throw read.problem("problem", problem, "is not an error");
}

/**
 * Checks the result of a read: a field with a wrong name, such as `stat`, would lose the state.
 * @throws TypeError naming the field, without secrets
 */
export function checkedReadResult<R>(result: R, secrets: Iterable<string>): R {
  if (result === undefined) return result;
  const read = fieldReader("the read result", secrets);
  const { isWhole, tableRows } = read.fields(result, "", RESULT_FIELDS);
  if (isWhole !== undefined && typeof isWhole !== "boolean")
    throw read.problem("isWhole", isWhole, "is not a boolean");
  read.figure(tableRows, "tableRows", true);
  return result;
}

/** Checks the result of `write`: without a number of rows, lost ones would not be noticed. */
export function checkedWrite(result: { readonly rows: number }): { readonly rows: number } {
  const value: unknown = result;
  const { rows } = (value ?? {}) as { readonly rows?: unknown };
  if (Number.isSafeInteger(rows) && (rows as number) >= 0) return result;
  throw new TypeError(`it returned ${formatValue(value)}, which is not the number of rows, \`{ rows }\``);
}

const OUTCOMES: readonly unknown[] = ["written", "unchanged", "skipped"];

/**
 * Checks the result of `writeMetadata`: exactly one change for each requested value.
 * @throws TypeError naming the column
 */
export function checkedChanges(
  changes: readonly MetadataChange[] | null,
  columns: readonly ColumnToDescribe[],
): readonly MetadataChange[] | null {
  if (changes === null) return null;
  const found: unknown = changes;
  if (!Array.isArray(found)) throw new TypeError("it returned no list of changes");
  const requested = columns.flatMap(({ name, description, type }) => [
    ...(description === undefined ? [] : [{ column: name, part: "description", value: description }]),
    ...(type === undefined ? [] : [{ column: name, part: "type", value: type }]),
  ]);
  for (const { column, part, value } of requested) {
    const own = changes.filter((one) => one.column === column && one.part === part);
    const [change] = own;
    if (own.length !== 1 || change === undefined)
      throw new TypeError(
        `it returned ${counted(own.length, "change")} of the ${part} of ${formatValue(column)}`,
      );
    if (change.value !== value || !OUTCOMES.includes(change.outcome))
      throw new TypeError(`it returned a change of the ${part} of ${formatValue(column)} that is not valid`);
  }
  if (changes.length === requested.length) return changes;
  throw new TypeError("it returned changes that were not requested");
}
