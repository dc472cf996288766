import { databaseNames } from "../model.ts";

/** A table after FROM, in a tree of `parseSql`. */
type Node = Record<string, unknown>;

/** Qualifies a table with the database of an extract. */
export function qualifyTable(node: object, source: string, name: string): void {
  const table = node as Node;
  Object.assign(table, {
    catalog_name: databaseNames.extract(source),
    schema_name: "main",
    table_name: name,
  });
}

/** Replaces a reference to a view by its SELECT. */
export function inlineView(node: object, tree: unknown): void {
  const table = node as Node;
  const { alias, sample, query_location, column_name_alias, table_name } = table;
  const { statements } = tree as { readonly statements: readonly unknown[] };
  for (const key of Object.keys(table)) delete table[key];
  Object.assign(table, {
    type: "SUBQUERY",
    alias: alias === "" ? table_name : alias,
    sample,
    query_location,
    subquery: statements[0],
    column_name_alias,
  });
}

/** Renames a database throughout a tree. */
export function renameDatabase(tree: unknown, from: string, to: string): void {
  const todo: unknown[] = [tree];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (node === null || typeof node !== "object") continue;
    const table = node as { type?: unknown; catalog_name?: unknown; schema_name?: unknown };
    if (table.type === "BASE_TABLE") {
      if (sameName(table.catalog_name, from)) table.catalog_name = to;
      else if (table.catalog_name === "" && sameName(table.schema_name, from)) table.schema_name = to;
    }
    todo.push(...(Object.values(node) as unknown[]).filter((value) => value !== undefined));
  }
}

function sameName(value: unknown, name: string): boolean {
  return typeof value === "string" && value.toLowerCase() === name.toLowerCase();
}
