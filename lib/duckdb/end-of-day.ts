import { AgnesError, messageOf } from "../base/mod.ts";
import { quoteLiteral } from "./sql.ts";
import { parseType, type TypeTree } from "./type-text.ts";

/** The start of the error of a guarded query; the index of the column follows. */
const MARK = "agnes met the time 24:00:00 in column ";

/**
 * Returns SQL that fails if a value contains the time 24:00:00. DuckDB supports it, but readers of Parquet and Arrow read
 * 00:00:00. Returns the value itself if its type contains no times.
 *
 * @param type the DuckDB type of the value
 * @param at the index of the column, for `endOfDayError`
 */
export function withoutEndOfDay(value: string, type: string, at: number): string {
  const condition = endOfDayIn(value, type);
  if (condition === null) return value;
  return `CASE WHEN ${condition} THEN error(${quoteLiteral(`${MARK}${at}.`)}) ELSE ${value} END`;
}

/** Returns the SQL condition that a value contains such a time; null for a type without times. */
export function endOfDayIn(value: string, type: string): string | null {
  return /\bTIME\b/.test(type) ? hasEndOfDay(value, parseType(type), 0) : null;
}

/** Returns the error with the column name if a guarded query failed at such a time; otherwise null. */
export function endOfDayError(error: unknown, names: readonly string[]): AgnesError | null {
  const at = new RegExp(`${MARK}(\\d+)[.]`).exec(messageOf(error))?.[1];
  return at === undefined ? null : endOfDayProblem(names[Number(at)]!, { cause: error });
}

/** Returns the error for a column with such a time. */
export function endOfDayProblem(column: string, options?: { readonly cause: unknown }): AgnesError {
  const details = {
    column,
    reason: "a value is the time 24:00:00, which readers of Parquet and Arrow read as 00:00:00",
    advice:
      "Cast the column to VARCHAR in the query or in a view of the source, or exclude it with `columns` of the table.",
  };
  return new AgnesError("batch_malformed", details, options);
}

function hasEndOfDay(value: string, tree: TypeTree, level: number): string | null {
  switch (tree.kind) {
    case "plain":
      return tree.text === "TIME" ? `${value} >= TIME '24:00:00'` : null;
    case "list":
      return ofItems(value, tree.item, level);
    case "map":
      return any([
        ofItems(`map_keys(${value})`, tree.key, level),
        ofItems(`map_values(${value})`, tree.value, level),
      ]);
    case "fields":
      if (tree.typeName === "UNION") return null;
      return any(
        tree.fields.map(({ name, type }) =>
          hasEndOfDay(`struct_extract(${value}, ${quoteLiteral(name)})`, type, level),
        ),
      );
  }
}

function ofItems(list: string, type: TypeTree, level: number): string | null {
  const item = `agnes_item_${level}`;
  const condition = hasEndOfDay(item, type, level + 1);
  return condition === null ? null : `len(list_filter(${list}, lambda ${item}: ${condition})) > 0`;
}

function any(conditions: readonly (string | null)[]): string | null {
  const own = conditions.filter((one) => one !== null).map((one) => `coalesce(${one}, false)`);
  return own.length === 0 ? null : `(${own.join(" OR ")})`;
}
