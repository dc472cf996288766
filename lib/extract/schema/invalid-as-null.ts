import type { RowBuilderOptions } from "../../kit/mod.ts";
import { nullableColumns, type Described, type NulledValues } from "../job/nulled-values.ts";
import { columnsOf } from "./column.ts";

/** The option by which a row builder sets values that do not fit to null, and counts them. */
export function invalidAsNull(
  plan: Described,
  nulled: NulledValues | undefined,
): Pick<RowBuilderOptions, "invalidAsNull"> {
  if (nulled === undefined) return {};
  const types = new Map(columnsOf(plan.info.schema).map(({ name, type }) => [name, type]));
  return {
    invalidAsNull: {
      columns: nullableColumns(plan),
      onNull: (column) => nulled.add(column, types.get(column)!),
    },
  };
}
