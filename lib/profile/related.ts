import type { DocumentedTable } from "../query/mod.ts";
import type { TableRecord } from "../tables/mod.ts";
import type { RelatedTable } from "./types.ts";

type Registered = Pick<TableRecord, "id" | "viewName" | "foreignKeys">;

/** Returns the tables that foreign keys connect with a table. @param others the registered tables that the caller may access */
export function relatedTables(
  table: Pick<DocumentedTable, "id" | "foreignKeys">,
  others: readonly Registered[],
): readonly RelatedTable[] {
  const own = table.foreignKeys.map(({ column, references, description = "" }): RelatedTable => {
    const found = resolved(references, others);
    return {
      table: found?.table.viewName ?? references,
      join_column: column,
      foreign_column: found?.column ?? null,
      direction: "belongs_to",
      description,
    };
  });
  const foreign = others.flatMap((other) =>
    other.foreignKeys.flatMap(({ column, references, description = "" }): readonly RelatedTable[] => {
      const found = resolved(references, others);
      if (found?.table.id !== table.id) return [];
      return [
        {
          table: other.viewName,
          join_column: found.column,
          foreign_column: column,
          direction: "has_many",
          description,
        },
      ];
    }),
  );
  return [...own, ...foreign];
}

/** The table and column of a reference: a table, or a table and its column. */
function resolved(
  reference: string,
  tables: readonly Registered[],
): { readonly table: Registered; readonly column: string | null } | null {
  const named = (name: string) => {
    const folded = name.toLowerCase();
    return tables.find(({ id, viewName }) => [id, viewName].some((known) => known.toLowerCase() === folded));
  };
  const whole = named(reference);
  if (whole !== undefined) return { table: whole, column: null };
  const dot = reference.lastIndexOf(".");
  const table = dot < 0 ? undefined : named(reference.slice(0, dot));
  return table === undefined ? null : { table, column: reference.slice(dot + 1) };
}
