import { formatValue } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { databaseNames, type TableAccessMode } from "../model.ts";
import { isAllowedFunction, isAllowedTableFunction } from "../../sql/mod.ts";
import { parseSql, renderSql, type FunctionUse, type SelectFacts, type TableUse } from "../../sql/mod.ts";
import { inlineView, qualifyTable, renameDatabase } from "./inline.ts";
import type { ExtractCatalog } from "./objects.ts";
import { placePath, reachesStrange, type PlacedFolder } from "./place.ts";
import { selectOf } from "./view-text.ts";

/** What is known of the extract whose tables are looked at. */
export interface ExtractObjects {
  readonly source: string;
  readonly folder: PlacedFolder;
  readonly catalog: ExtractCatalog;
  /** Lower-case names of its macros, listed when they are first asked for. */
  readonly macros: () => Promise<ReadonlySet<string>>;
  readonly aliases: ReadonlySet<string>;
  /** Lower-case names of table functions that reach its databases. */
  readonly functions: ReadonlySet<string>;
}

/** How the rows behind an object are reached, or why they are not shown. */
export type Classified =
  | {
      readonly kind: "shown";
      readonly accessMode: TableAccessMode;
      readonly definition: string;
      readonly alias: string | null;
      /** Whether making the view computes nothing that the extract decides. */
      readonly isPlain: boolean;
      /** Whether it is a table of the extract, and all of its columns are stored. */
      readonly isStored: boolean;
    }
  | {
      readonly kind: "refused";
      readonly reason: string;
      /** Set when it calls a macro of the extract. */
      readonly macro?: string;
    };

/** An object, and what a view needs that reads it. */
type Looked =
  | (Classified & { readonly kind: "refused" })
  | {
      readonly kind: "shown";
      readonly accessMode: TableAccessMode;
      readonly alias: string | null;
      readonly isPlain: boolean;
      readonly isStored: boolean;
      /** The name of the table itself, or the tree of its view. */
      readonly object: { readonly table: string } | { readonly tree: unknown };
      readonly text: string | null;
      /** How many views lie on each other. */
      readonly height: number;
      readonly length: number;
    };

const HEIGHT_MAX = 8;
/** With all views that it reads in place; as long as SQL may be. */
const LENGTH_MAX = 1_000_000;

/**
 * Decides how the tables of an extract are shown. An extract is input, whoever wrote it: a view may read files inside
 * the extract, its tables and views and the databases it says it needs, and nothing else. What comes out names files
 * and tables alone, never a view or macro of the extract.
 */
export class Classifier {
  readonly #connection: Connection;
  readonly #extract: ExtractObjects;
  readonly #signal: AbortSignal;
  readonly #looked = new Map<string, Looked>();
  readonly #open = new Set<string>();

  constructor(connection: Connection, extract: ExtractObjects, signal: AbortSignal) {
    this.#connection = connection;
    this.#extract = extract;
    this.#signal = signal;
  }

  /** How one table of the extract is shown. */
  async classify(name: string): Promise<Classified> {
    const found = await this.#look(name);
    if (found.kind === "refused") return found;
    const { accessMode, alias, isPlain, isStored, object } = found;
    const definition =
      "table" in object
        ? `SELECT * FROM ${[databaseNames.extract(this.#extract.source), "main", object.table].map(quoteIdentifier).join(".")}`
        : (found.text ?? (await renderSql(this.#connection, object.tree)));
    return { kind: "shown", accessMode, alias, isPlain, isStored, definition };
  }

  async #look(name: string): Promise<Looked> {
    const folded = name.toLowerCase();
    const known = this.#looked.get(folded);
    if (known !== undefined) return known;
    if (this.#open.has(folded)) return refused("its views refer to each other");
    this.#signal.throwIfAborted();
    this.#open.add(folded);
    const looked = await this.#lookAt(folded);
    this.#open.delete(folded);
    this.#looked.set(folded, looked);
    return looked;
  }

  async #lookAt(folded: string): Promise<Looked> {
    const { catalog } = this.#extract;
    const table = folded.startsWith("_") ? undefined : catalog.tables.get(folded);
    if (table !== undefined) {
      await this.#extract.macros();
      const problem = table.mayCompute ? await this.#computedProblem(table.columns) : null;
      if (problem !== null) return problem;
      const object = { table: table.name };
      return {
        kind: "shown",
        accessMode: "attached",
        alias: null,
        isPlain: false,
        isStored: !table.mayCompute,
        object,
        text: null,
        height: 0,
        length: 0,
      };
    }
    const sql = catalog.views.get(folded);
    if (sql === undefined) return refused("the extract has no such table or view");
    const select = sql.length > LENGTH_MAX ? null : selectOf(sql);
    if (select === null) return refused(sql.length > LENGTH_MAX ? TOO_LONG : "its view is not one SELECT");
    return this.#lookAtView(select);
  }

  async #lookAtView(select: string): Promise<Looked> {
    const parsed = await parseSql(this.#connection, select);
    if (parsed.kind !== "select") return refused("its view is not one SELECT");
    const { facts, tree } = parsed;
    const strange = await this.#strangeIn(facts);
    if (strange !== null) return strange;
    const files = this.#placeFiles(facts);
    if (typeof files === "string") return refused(files);
    const reads = readsOf(this.#extract, facts);
    if (typeof reads === "string") return refused(reads);
    const isPlain = facts.functions.every((use) => PLAIN.has(use.name)) && files.isPlain;
    const view = { kind: "shown", alias: reads.alias, isStored: false, object: { tree } } as const;
    if (reads.alias !== null) {
      if (reads.own.length > 0) return refused(MIXED);
      renameDatabase(tree, reads.alias, databaseNames.remote(this.#extract.source, reads.alias));
      return { ...view, accessMode: "remote", isPlain: false, text: null, height: 1, length: select.length };
    }
    const inner = await this.#putInPlace(reads.own);
    if (inner.kind === "refused") return inner;
    const height = inner.height + 1;
    const length = inner.length + select.length;
    if (height > HEIGHT_MAX) return refused("its views are nested too deeply");
    if (length > LENGTH_MAX) return refused(TOO_LONG);
    const text = files.moved || reads.own.length > 0 ? null : select;
    return { ...view, accessMode: inner.accessMode, isPlain: isPlain && inner.isPlain, text, height, length };
  }

  /** Replaces each table and view of the extract by what it is. */
  async #putInPlace(
    uses: readonly TableUse[],
  ): Promise<
    | (Looked & { readonly kind: "refused" })
    | { kind: "placed"; accessMode: "file" | "attached"; isPlain: boolean; height: number; length: number }
  > {
    const sum = {
      kind: "placed" as const,
      accessMode: "file" as "file" | "attached",
      isPlain: true,
      height: 0,
      length: 0,
    };
    for (const use of uses) {
      const inner = await this.#look(use.name);
      if (inner.kind === "refused")
        return { ...inner, reason: `it reads ${formatValue(use.name)}, and ${inner.reason}` };
      if (inner.accessMode === "remote") return refused(MIXED);
      sum.height = Math.max(sum.height, inner.height);
      sum.length += inner.length;
      sum.isPlain &&= inner.isPlain;
      if (inner.accessMode === "attached") sum.accessMode = "attached";
      if (sum.length > LENGTH_MAX) return refused(TOO_LONG);
      if ("table" in inner.object) qualifyTable(use.node!, this.#extract.source, inner.object.table);
      else inlineView(use.node!, inner.object.tree);
    }
    return sum;
  }

  async #strangeIn(facts: SelectFacts): Promise<(Looked & { readonly kind: "refused" }) | null> {
    const [odd] = facts.unusual;
    if (odd !== undefined) return refused(`its view uses ${odd.what || odd.kind}, which is not allowed`);
    const called = [...facts.functions, ...facts.tableFunctions];
    if (called.every(({ name }) => PLAIN.has(name))) return null;
    const macros = await this.#extract.macros();
    const macro = called.find(({ name }) => macros.has(name.toLowerCase()));
    if (macro !== undefined)
      return { ...refused(`its view calls the macro ${formatValue(macro.name)}`), macro: macro.name };
    const unsafe =
      facts.functions.find((use) => !isAllowedFunction(use.name)) ?? called.find((use) => isQualified(use));
    return unsafe === undefined
      ? null
      : refused(`its view calls ${formatValue(unsafe.name)}, which is not allowed`);
  }

  /** Defaults are looked at as well: DuckDB does not tell them from what is computed. */
  async #computedProblem(
    columns: readonly { readonly name: string; readonly expression: string | null }[],
  ): Promise<(Looked & { readonly kind: "refused" }) | null> {
    for (const { name, expression } of columns) {
      if (expression === null) continue;
      const parsed = await parseSql(this.#connection, `SELECT ${expression}`);
      const isSafe =
        parsed.kind === "select" &&
        parsed.facts.tables.length === 0 &&
        (await this.#strangeIn(parsed.facts)) === null;
      if (!isSafe)
        return refused(`its column ${formatValue(name)} is computed by an expression that is not allowed`);
    }
    return null;
  }

  /** Sees that every file is inside the extract as it is now, and names it so in the tree. */
  #placeFiles(facts: SelectFacts): { readonly moved: boolean; readonly isPlain: boolean } | string {
    let moved = false;
    let isPlain = true;
    for (const use of facts.tableFunctions) {
      const name = use.name.toLowerCase();
      if (!PLAIN_READERS.has(name)) isPlain = false;
      if (!FILE_READERS.has(name)) continue;
      const paths = pathsOf(use);
      if (paths === null) return `its view calls ${use.name} on an argument that is not a list of paths`;
      for (const path of paths) {
        const placed = this.#place(path.value);
        if (placed.problem !== null) return placed.problem;
        moved ||= placed.path !== path.value;
        path.value = placed.path;
      }
    }
    for (const use of facts.tables) {
      if (!isDataFile(use.name) || !isOwn(use) || isObject(this.#extract, use.name)) continue;
      const placed = this.#place(use.name);
      if (placed.problem !== null) return placed.problem;
      if (!/\.parquet$/i.test(use.name)) isPlain = false;
      moved ||= placed.path !== use.name;
      (use.node as { table_name: string }).table_name = placed.path;
    }
    return { moved, isPlain };
  }

  #place(path: string): { readonly problem: string; readonly path: "" } | { problem: null; path: string } {
    const placed = placePath(this.#extract.folder, path);
    if (placed === null)
      return { problem: `its view reads ${formatValue(path)}, which is outside the extract`, path: "" };
    if (!reachesStrange(this.#extract.folder, placed)) return { problem: null, path: placed };
    const reason = "which is outside the extract or is not a file";
    return { problem: `its view reads ${formatValue(path)}, ${reason}`, path: "" };
  }
}

const MIXED = "its view mixes a remote database with tables of the extract";
const TOO_LONG = `its view, with the views it reads, is longer than ${LENGTH_MAX} characters`;

const PLAIN_READERS = new Set(["parquet_scan", "read_parquet"]);
/** All that our own views call. */
const PLAIN = new Set([...PLAIN_READERS, "list_value"]);
const FILE_READERS = new Set([
  ...PLAIN_READERS,
  "read_csv",
  "read_csv_auto",
  "read_json",
  "read_json_auto",
  "read_ndjson",
  "read_ndjson_auto",
]);

/** Whether a macro of this name could stand for a function that a view, a query or a column may call. */
export function isFunctionName(name: string): boolean {
  return isAllowedFunction(name) || isAllowedTableFunction(name) || FILE_READERS.has(name.toLowerCase());
}

function refused(reason: string): { readonly kind: "refused"; readonly reason: string } {
  return { kind: "refused", reason };
}

/** A schema in front of a function can be a column, but not one of the databases that a session attaches. */
function isQualified(use: FunctionUse): boolean {
  return use.catalog !== "" || use.schema.toLowerCase().startsWith("agnes:");
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
): { readonly own: readonly TableUse[]; readonly alias: string | null } | string {
  const own: TableUse[] = [];
  let alias: string | null = null;
  for (const table of facts.tables) {
    const first = [...extract.aliases].find((known) =>
      [table.catalog, table.catalog === "" ? table.schema : ""].some(
        (part) => part.toLowerCase() === known.toLowerCase(),
      ),
    );
    if (first !== undefined) {
      if (alias !== null && alias !== first) return "its view reads two remote databases";
      alias = first;
    } else if (isOwn(table) && isObject(extract, table.name)) own.push(table);
    else if (!isOwn(table) || !isDataFile(table.name))
      return isOwn(table)
        ? `its view reads ${formatValue(table.name)}, which is not in the extract`
        : `its view reads ${formatValue([table.catalog, table.schema, table.name].filter(Boolean).join("."))}; only the schema main of its own file can be read`;
  }
  for (const use of facts.tableFunctions) {
    const folded = use.name.toLowerCase();
    if (FILE_READERS.has(folded) || isAllowedTableFunction(folded)) continue;
    const only = [...extract.aliases];
    if (!extract.functions.has(folded) || only.length !== 1)
      return `its view calls ${formatValue(use.name)}, which is not allowed`;
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

function isObject({ catalog }: ExtractObjects, name: string): boolean {
  const folded = name.toLowerCase();
  return catalog.tables.has(folded) || catalog.views.has(folded);
}
