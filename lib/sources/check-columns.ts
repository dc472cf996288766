import type { Schema } from "apache-arrow";

import { AgnesError } from "../base/mod.ts";
import type { ExtractionSettings } from "../tables/mod.ts";

type Named = Pick<
  ExtractionSettings,
  "name" | "primaryKey" | "cursor" | "columns" | "filter" | "partitionBy"
>;

/**
 * Checks that a table has columns, and those that its settings name.
 * @throws `table_plan_invalid`
 */
export function checkColumns(settings: Named, schema: Schema): void {
  const refuse = (reason: string): never => {
    throw new AgnesError("table_plan_invalid", { table: settings.name, reason });
  };
  const known = new Set(schema.fields.map((field) => String(field.name)));
  if (known.size === 0) refuse("the source describes no column of it");
  const folded = new Set([...known].map((name) => name.toLowerCase()));
  if (folded.size !== known.size) refuse("two of its columns differ in upper and lower case only");
  for (const [what, columns] of columnsNamed(settings)) {
    for (const column of columns) {
      if (!known.has(column))
        refuse(`the ${what} column ${JSON.stringify(column)} is not one of its columns`);
    }
  }
}

function columnsNamed(settings: Named): readonly (readonly [string, readonly string[]])[] {
  return [
    ["primary key", settings.primaryKey],
    ["cursor", settings.cursor === undefined ? [] : [settings.cursor]],
    ["wanted", settings.columns ?? []],
    ["filter", (settings.filter ?? []).map((filter) => filter.column)],
    ["partition", settings.partitionBy === undefined ? [] : [settings.partitionBy]],
  ];
}
