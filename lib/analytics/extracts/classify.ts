import { resolve, sep } from "node:path";

import { shown } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { databaseNames, type TableWay } from "../model.ts";
import { isAllowedFunction, isAllowedTableFunction } from "../sql/functions.ts";
import { parseSql, renderSql, type FunctionUse, type SelectFacts } from "../sql/tree.ts";

/** What is known of the extract whose views are looked at. */
export interface ExtractObjects {
  readonly source: string;
  /** The absolute path of the extract's folder. */
  readonly directory: string;
  /** Where the folder was when the views were written. */
  readonly writtenDirectory: string;
  /** The SELECT of each view, by lower-case name. */
  readonly views: ReadonlyMap<string, string>;
  /** Lower-case names of tables with rows of their own. */
  readonly tables: ReadonlySet<string>;
  /** Columns of tables and views, by lower-case name of theirs. */
  readonly columns: ReadonlyMap<string, readonly { readonly name: string; readonly type: string }[]>;
  readonly aliases: ReadonlySet<string>;
  /** Lower-case names of table functions that reach its databases. */
  readonly functions: ReadonlySet<string>;
}

/** How the rows behind an object are reached, or why they are not shown. */
export type Classified =
  | {
      readonly kind: "shown";
      readonly way: TableWay;
      readonly definition: string;
      readonly alias: string | null;
    }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Decides how a table of an extract is shown. An extract is input, whoever wrote it: its view may read files inside
 * the extract, its own objects and the databases it says it needs, and nothing else.
 */
export async function classify(
  connection: Connection,
  extract: ExtractObjects,
  name: string,
  depth = 0,
): Promise<Classified> {
  const folded = name.toLowerCase();
  const attached: Classified = {
    kind: "shown",
    way: "attached",
    definition: `SELECT * FROM ${[databaseNames.extract(extract.source), "main", name].map(quoteIdentifier).join(".")}`,
    alias: null,
  };
  if (extract.tables.has(folded)) return attached;
  const select = extract.views.get(folded);
  if (select === undefined) return refused("the extract has no such table or view");
  if (depth > MAX_DEPTH) return refused("its views are nested too deeply");
  const parsed = await parseSql(connection, select);
  if (parsed.kind !== "select") return refused("its view is not one SELECT");
  const reason = strangeIn(parsed.facts);
  if (reason !== null) return refused(reason);
  const files = placeFiles(extract, parsed.facts);
  if (typeof files === "string") return refused(files);
  const reads = readsOf(extract, parsed.facts);
  if (typeof reads === "string") return refused(reads);
  if (reads.alias !== null) {
    if (reads.own.length > 0) return refused("its view mixes a remote database with tables of the extract");
    renameDatabase(parsed.tree, reads.alias, databaseNames.remote(extract.source, reads.alias));
    return shownAs("remote", await renderSql(connection, parsed.tree), reads.alias);
  }
  for (const own of reads.own) {
    const inner = await classify(connection, extract, own, depth + 1);
    if (inner.kind === "refused") return refused(`it reads ${shown(own)}, and ${inner.reason}`);
    if (inner.way === "remote") return refused("its view mixes a remote database with tables of the extract");
  }
  if (reads.own.length > 0) return attached;
  return shownAs("file", files.moved ? await renderSql(connection, parsed.tree) : select, null);
}

const MAX_DEPTH = 8;
const FILE_READERS = new Set([
  "parquet_scan",
  "read_csv",
  "read_csv_auto",
  "read_json",
  "read_json_auto",
  "read_ndjson",
  "read_ndjson_auto",
  "read_parquet",
]);

function shownAs(way: TableWay, definition: string, alias: string | null): Classified {
  return { kind: "shown", way, definition, alias };
}

function refused(reason: string): Classified {
  return { kind: "refused", reason };
}

function strangeIn(facts: SelectFacts): string | null {
  const [odd] = facts.unusual;
  if (odd !== undefined) return `its view uses ${odd.what || odd.kind}, which is not known to be safe`;
  const called = facts.functions.find((use) => !isAllowedFunction(use.name) || use.catalog !== "");
  return called === undefined ? null : `its view calls ${shown(called.name)}, which is not known to be safe`;
}

/**
 * Sees that every file is inside the extract. Paths that are relative, or of a folder that has moved since, are
 * made absolute in the tree.
 */
function placeFiles(extract: ExtractObjects, facts: SelectFacts): { readonly moved: boolean } | string {
  let moved = false;
  for (const use of facts.tableFunctions) {
    if (!FILE_READERS.has(use.name.toLowerCase())) continue;
    const paths = pathsOf(use);
    if (paths === null) return `its view calls ${use.name} on something that is not a list of paths`;
    for (const path of paths) {
      const placed = place(extract, path.value);
      if (placed === null) return `its view reads ${shown(path.value)}, which is outside the extract`;
      if (placed === path.value) continue;
      path.value = placed;
      moved = true;
    }
  }
  return { moved };
}

function place({ directory, writtenDirectory }: ExtractObjects, path: string): string | null {
  if (/^[a-z][a-z0-9+.-]+:/i.test(path) && !/^[a-z]:[\\/]/i.test(path)) return null;
  const absolute = resolve(directory, path);
  if (absolute.startsWith(directory + sep)) return absolute === path ? path : absolute;
  const before = resolve(writtenDirectory) + sep;
  return absolute.startsWith(before) ? resolve(directory, absolute.slice(before.length)) : null;
}

/** The constants that a file reader is given first; changing one changes the tree. */
function pathsOf(use: FunctionUse): readonly { value: string }[] | null {
  const [first] = use.arguments as readonly TreeNode[];
  const items =
    first?.class === "FUNCTION" && first.function_name === "list_value" ? first.children : [first];
  const values = (items ?? []).map((item) =>
    item?.class === "CONSTANT" && typeof item.value?.value === "string"
      ? (item.value as { value: string })
      : null,
  );
  return values.length > 0 && values.every((value) => value !== null) ? values : null;
}

interface TreeNode {
  readonly class?: string;
  readonly function_name?: string;
  readonly children?: readonly TreeNode[];
  readonly value?: { value: unknown };
}

function readsOf(
  extract: ExtractObjects,
  facts: SelectFacts,
): { readonly own: readonly string[]; readonly alias: string | null } | string {
  const own: string[] = [];
  let alias: string | null = null;
  for (const table of facts.tables) {
    const folded = table.name.toLowerCase();
    const first = [...extract.aliases].find((known) =>
      [table.catalog, table.catalog === "" ? table.schema : ""].some(
        (part) => part.toLowerCase() === known.toLowerCase(),
      ),
    );
    if (first !== undefined) {
      if (alias !== null && alias !== first) return "its view reads two remote databases";
      alias = first;
    } else if (isOwn(table) && (extract.tables.has(folded) || extract.views.has(folded)))
      own.push(table.name);
    else if (isOwn(table) && isDataFile(table.name) && place(extract, table.name) === table.name) continue;
    else return `its view reads ${shown(table.name)}, which is not in the extract`;
  }
  for (const use of facts.tableFunctions) {
    const folded = use.name.toLowerCase();
    if (FILE_READERS.has(folded) || isAllowedTableFunction(folded)) continue;
    const only = [...extract.aliases];
    if (!extract.functions.has(folded) || only.length !== 1)
      return `its view calls ${shown(use.name)}, which is not known to be safe`;
    alias = only[0]!;
  }
  return { own, alias };
}

/** `FROM 'file.parquet'`: DuckDB reads what ends so. */
function isDataFile(path: string): boolean {
  return /\.(parquet|csv|tsv|json|jsonl|ndjson)(\.(gz|zst))?$/i.test(path);
}

function isOwn(table: { readonly catalog: string; readonly schema: string }): boolean {
  return table.catalog === "" && (table.schema === "" || table.schema.toLowerCase() === "main");
}

/** Has the tables of one database come from another, throughout a tree. */
function renameDatabase(tree: unknown, from: string, to: string): void {
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
