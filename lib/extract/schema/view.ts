import { join } from "node:path";

import { quoteIdentifier } from "../../duckdb/mod.ts";
import type { Part, SchemaVersion, PublishedColumn } from "../format/extract-state.ts";
import { readParquet, selectList } from "./select.ts";

/** Returns the SELECT that reads parts of any layout as one table with `columns`. */
export function partsQuery(
  directory: string,
  parts: readonly Part[],
  columns: readonly PublishedColumn[],
  schemas: readonly Pick<SchemaVersion, "version" | "columns">[],
): string {
  const groups = new Map<number, Part[]>();
  for (const part of parts) groups.set(part.schemaVersion, [...(groups.get(part.schemaVersion) ?? []), part]);
  const selects = [...groups].map(([version, group]) => {
    const layout = schemas.find((schema) => schema.version === version)?.columns ?? columns;
    const paths = group.map((part) => join(directory, part.path));
    return `SELECT ${selectList(columns, layout)} FROM ${readParquet(paths)}`;
  });
  return selects.length === 0 ? `SELECT ${selectList(columns, [])} WHERE false` : selects.join(" UNION ALL ");
}

/** Returns a select list of quoted columns. */
export function columnList(columns: readonly Pick<PublishedColumn, "name">[], prefix = ""): string {
  return columns.map(({ name }) => `${prefix}${quoteIdentifier(name)}`).join(", ");
}
