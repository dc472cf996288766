import { AgnesError, messageOf } from "../base/mod.ts";
import { quoteLiteral } from "./sql.ts";
import { parseType, type TypeTree } from "./type-text.ts";

/** What says at which column of a guarded query there was such a time. */
const MARK = "agnes met the time 24:00:00 in column ";

/**
 * The SQL of a value that fails at the time 24:00:00, which DuckDB has, and Parquet and Arrow have not: their readers
 * take it for 00:00:00. The value itself when its type has no times.
 *
 * @param type of the value, as it is written
 * @param at tells the column, for `endOfDayError`
 */
export function withoutEndOfDay(value: string, type: string, at: number): string {
  const condition = endOfDayIn(value, type);
  if (condition === null) return value;
  return `CASE WHEN ${condition} THEN error(${quoteLiteral(`${MARK}${at}.`)}) ELSE ${value} END`;
}

/** The SQL condition that such a time is in a value; null for a type that has no times of day. */
export function endOfDayIn(value: string, type: string): string | null {
  return /\bTIME\b/.test(type) ? hasEndOfDay(value, parseType(type), 0) : null;
}

/** The error about the column, when this is what a guarded query failed with. */
export function endOfDayError(error: unknown, names: readonly string[]): AgnesError | null {
  const at = new RegExp(`${MARK}(\\d+)[.]`).exec(messageOf(error))?.[1];
  return at === undefined ? null : endOfDayProblem(names[Number(at)]!, { cause: error });
}

/** @param column its name */
export function endOfDayProblem(column: string, options?: { readonly cause: unknown }): AgnesError {
  const details = {
    column,
    reason: "a value is the time 24:00:00, which readers of Parquet and Arrow take for 00:00:00",
    advice:
      "Cast the column to VARCHAR in the query or in a view of the source, or leave it out with `columns` of the table.",
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
      if (tree.word === "UNION") return null;
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
