/** The name of a column for comparisons, because DuckDB ignores case. */
export const folded = (name: string): string => name.toLowerCase();

/** Columns by their folded names. */
export function byFoldedName<Column extends { readonly name: string }>(
  columns: readonly Column[],
): ReadonlyMap<string, Column> {
  return new Map(columns.map((column) => [folded(column.name), column]));
}
