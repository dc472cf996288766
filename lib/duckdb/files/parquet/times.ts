import { quoteIdentifier } from "../../sql.ts";
import type { TypeTree } from "../type-tree.ts";

/**
 * The SQL condition that the times in a value are in a day; `null` if its type has none. Parquet stores times as integers,
 * and DuckDB writes out of bounds when it converts an invalid one to text.
 */
export function timesWithinDay(value: string, type: TypeTree, level = 0): string | null {
  switch (type.kind) {
    case "scalar":
      if (type.name === "TIME WITH TIME ZONE") return withinDay(`CAST(${value} AS TIME)`);
      return type.name === "TIME" ? withinDay(value) : null;
    case "list":
      return ofElements(value, type.element, level);
    case "map": {
      const parts = [
        ofElements(`map_keys(${value})`, type.key, level),
        ofElements(`map_values(${value})`, type.value, level),
      ];
      return all(parts);
    }
    case "struct":
      return all(
        type.fields.map(([name, field]) =>
          timesWithinDay(`(${value}).${quoteIdentifier(name)}`, field, level),
        ),
      );
  }
}

const withinDay = (time: string) => `(${time} BETWEEN TIME '00:00:00' AND TIME '24:00:00')`;

function ofElements(list: string, element: TypeTree, level: number): string | null {
  const name = `agnes_element_${level}`;
  const check = timesWithinDay(name, element, level + 1);
  if (check === null) return null;
  return `coalesce(list_aggregate(list_transform(${list}, lambda ${name}: coalesce(${check}, true)), 'bool_and'), true)`;
}

function all(checks: readonly (string | null)[]): string | null {
  const own = checks.filter((check) => check !== null).map((check) => `coalesce(${check}, true)`);
  return own.length === 0 ? null : `(${own.join(" AND ")})`;
}

/** The SQL of the text of a value whose times may be outside a day. */
export function textOfTimes(value: string, type: TypeTree, isWithinDay: string): string {
  const number = type.kind === "scalar" && type.name === "TIME" ? `epoch_us(${value})` : "NULL";
  const outside = `coalesce(${number} || ' microseconds', 'a time') || ' outside a day'`;
  return `CASE WHEN ${isWithinDay} THEN CAST(${value} AS VARCHAR) ELSE ${outside} END`;
}
