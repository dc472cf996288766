import type { Schema } from "apache-arrow";

import { AgnesError } from "../base/mod.ts";
import type { ExtractionSettings } from "../tables/mod.ts";

type Named = Pick<
  ExtractionSettings,
  "id" | "name" | "primaryKey" | "cursor" | "columns" | "filter" | "partitionBy" | "queriedParts"
>;

const QUERY_OPTION = "--source-query QUERY";

/**
 * Checks that a table has columns, including those that its settings name.
 * @throws `table_plan_invalid`
 */
export function checkColumns(settings: Named, schema: Schema): void {
  const { id, name: table } = settings;
  const refuse = (reason: string, option?: string): never => {
    throw new AgnesError("table_plan_invalid", { id, table, reason, option });
  };
  const known = new Set(schema.fields.map((field) => String(field.name)));
  if (known.size === 0) refuse("the source describes no columns");
  const folded = new Set([...known].map((name) => name.toLowerCase()));
  if (folded.size !== known.size) refuse("two of its columns differ only in upper and lower case");
  for (const [role, option, columns] of columnsNamed(settings)) {
    for (const column of columns) {
      if (!known.has(column))
        refuse(`the ${role} column ${JSON.stringify(column)} is not one of its columns`, option);
    }
  }
}

/** The option of `agnes table update` that sets the conditions of a table. */
export function conditionsOption({ queriedParts = [] }: Pick<ExtractionSettings, "queriedParts">): string {
  return queriedParts.includes("filter") ? QUERY_OPTION : "--where CONDITIONS";
}

function columnsNamed(
  settings: Named,
): readonly (readonly [role: string, option: string, columns: readonly string[]])[] {
  return [
    ["primary key", "--primary-key COLUMNS", settings.primaryKey],
    ["cursor", "--incremental-column COLUMN", settings.cursor === undefined ? [] : [settings.cursor]],
    [
      "selected",
      settings.queriedParts?.includes("columns") === true ? QUERY_OPTION : "--columns COLUMNS",
      settings.columns ?? [],
    ],
    ["filter", conditionsOption(settings), (settings.filter ?? []).map((filter) => filter.column)],
    ["partition", "--partition-by COLUMN", settings.partitionBy === undefined ? [] : [settings.partitionBy]],
  ];
}
