import { formatValue } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { databaseNames, type TableAccessMode } from "../model.ts";
import { isAllowedFunction, isAllowedTableFunction } from "../../sql/mod.ts";
import { parseSql, renderSql, type FunctionUse, type SelectFacts, type TableUse } from "../../sql/mod.ts";
import { inlineView, qualifyTable, renameDatabase } from "./inline.ts";
import type { ExtractCatalog } from "./objects.ts";
import { placePath, reachesStrange, type PlacedFolder } from "./place.ts";
import { selectOf } from "./view-text.ts";

/** An extract and its objects. */
export interface ExtractObjects {
  readonly source: string;
  readonly folder: PlacedFolder;
  readonly catalog: ExtractCatalog;
  /** Lower-case names of its macros, listed on first use. */
  readonly macros: () => Promise<ReadonlySet<string>>;
  readonly aliases: ReadonlySet<string>;
  /** Lower-case names of table functions that read its remote databases. */
  readonly functions: ReadonlySet<string>;
}

/** The access to the rows of an object, or the reason why it is refused. */
export type Classified =
  | {
      readonly kind: "accepted";
      readonly accessMode: TableAccessMode;
      readonly definition: string;
      readonly alias: string | null;
      /** Whether creating the view evaluates no expressions of the extract. */
      readonly isPlain: boolean;
      /** Whether it is a table of the extract whose columns are all stored. */
      readonly isStored: boolean;
    }
  | {
      readonly kind: "refused";
      readonly reason: string;
      /** The macro of the extract that it calls, if any. */
      readonly macro?: string;
    };

/** A classified object, with the facts that views over it need. */
type ClassifiedObject =
  | (Classified & { readonly kind: "refused" })
  | {
      readonly kind: "accepted";
      readonly accessMode: TableAccessMode;
      readonly alias: string | null;
      readonly isPlain: boolean;
      readonly isStored: boolean;
      /** The name of the table itself, or the tree of its view. */
      readonly object: { readonly table: string } | { readonly tree: unknown };
      readonly text: string | null;
      /** The depth of nested views. */
      readonly height: number;
      readonly length: number;
    };

const HEIGHT_MAX = 8;
/** The maximum length of a view with all nested views inlined; the same as for SQL. */
const LENGTH_MAX = 1_000_000;

/**
 * Determines how the tables of an extract are published. Extracts are untrusted input: a view may only read files in the
 * extract's folder, its tables and views, and the databases that it declares. The resulting definitions contain only
 * files and tables, never views or macros of the extract.
 */
export class Classifier {
  readonly #connection: Connection;
  readonly #extract: ExtractObjects;
  readonly #signal: AbortSignal;
  readonly #classified = new Map<string, ClassifiedObject>();
  readonly #open = new Set<string>();

  constructor(connection: Connection, extract: ExtractObjects, signal: AbortSignal) {
    this.#connection = connection;
    this.#extract = extract;
    this.#signal = signal;
  }

  /** Classifies one table of the extract. */
  async classify(name: string): Promise<Classified> {
    const found = await this.#resolve(name);
    if (found.kind === "refused") return found;
    const { accessMode, alias, isPlain, isStored, object } = found;
    const definition =
      "table" in object
        ? `SELECT * FROM ${[databaseNames.extract(this.#extract.source), "main", object.table].map(quoteIdentifier).join(".")}`
        : (found.text ?? (await renderSql(this.#connection, object.tree)));
    return { kind: "accepted", accessMode, alias, isPlain, isStored, definition };
  }

  async #resolve(name: string): Promise<ClassifiedObject> {
    const folded = name.toLowerCase();
    const known = this.#classified.get(folded);
    if (known !== undefined) return known;
    if (this.#open.has(folded)) return refused("its views refer to each other");
    this.#signal.throwIfAborted();
    this.#open.add(folded);
    const classified = await this.#resolveObject(folded);
    this.#open.delete(folded);
    this.#classified.set(folded, classified);
    return classified;
  }

  async #resolveObject(folded: string): Promise<ClassifiedObject> {
    const { catalog } = this.#extract;
    const table = folded.startsWith("_") ? undefined : catalog.tables.get(folded);
    if (table !== undefined) {
      await this.#extract.macros();
      const problem = table.mayCompute ? await this.#computedProblem(table.columns) : null;
      if (problem !== null) return problem;
      const object = { table: table.name };
      return {
        kind: "accepted",
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
    return this.#resolveView(select);
  }

  async #resolveView(select: string): Promise<ClassifiedObject> {
    const parsed = await parseSql(this.#connection, select);
    if (parsed.kind !== "select") return refused("its view is not one SELECT");
    const { facts, tree } = parsed;
    const unsafe = await this.#unsafePart(facts);
    if (unsafe !== null) return unsafe;
    const files = this.#placeFiles(facts);
    if (typeof files === "string") return refused(files);
    const reads = readsOf(this.#extract, facts);
    if (typeof reads === "string") return refused(reads);
    const isPlain = facts.functions.every((use) => PLAIN.has(use.name)) && files.isPlain;
    const view = { kind: "accepted", alias: reads.alias, isStored: false, object: { tree } } as const;
    if (reads.alias !== null) {
      if (reads.own.length > 0) return refused(MIXED);
      renameDatabase(tree, reads.alias, databaseNames.remote(this.#extract.source, reads.alias));
      return { ...view, accessMode: "remote", isPlain: false, text: null, height: 1, length: select.length };
    }
    const inner = await this.#inlineObjects(reads.own);
    if (inner.kind === "refused") return inner;
    const height = inner.height + 1;
    const length = inner.length + select.length;
    if (height > HEIGHT_MAX) return refused("its views are nested too deeply");
    if (length > LENGTH_MAX) return refused(TOO_LONG);
    const text = files.moved || reads.own.length > 0 ? null : select;
    return { ...view, accessMode: inner.accessMode, isPlain: isPlain && inner.isPlain, text, height, length };
  }

  /** Qualifies each table of the extract, and inlines each view. */
  async #inlineObjects(
    uses: readonly TableUse[],
  ): Promise<
    | (ClassifiedObject & { readonly kind: "refused" })
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
      const inner = await this.#resolve(use.name);
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

  async #unsafePart(facts: SelectFacts): Promise<(ClassifiedObject & { readonly kind: "refused" }) | null> {
    const [unusual] = facts.unusual;
    if (unusual !== undefined)
      return refused(`its view uses ${unusual.what || unusual.kind}, which is not allowed`);
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

  /** Checks computed columns. Defaults are included, because DuckDB does not distinguish them. */
  async #computedProblem(
    columns: readonly { readonly name: string; readonly expression: string | null }[],
  ): Promise<(ClassifiedObject & { readonly kind: "refused" }) | null> {
    for (const { name, expression } of columns) {
      if (expression === null) continue;
      const parsed = await parseSql(this.#connection, `SELECT ${expression}`);
      const isSafe =
        parsed.kind === "select" &&
        parsed.facts.tables.length === 0 &&
        (await this.#unsafePart(parsed.facts)) === null;
      if (!isSafe)
        return refused(`its column ${formatValue(name)} is computed by an expression that is not allowed`);
    }
    return null;
  }

  /** Checks that each file is in the extract's current folder, and sets its current path in the tree. */
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
/** The functions in views that Agnes writes. */
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

/** Whether a macro of this name could replace a function that views, queries or columns may call. */
export function isFunctionName(name: string): boolean {
  return isAllowedFunction(name) || isAllowedTableFunction(name) || FILE_READERS.has(name.toLowerCase());
}

function refused(reason: string): { readonly kind: "refused"; readonly reason: string } {
  return { kind: "refused", reason };
}

/** Whether a function is qualified with a database. A schema qualifier may be a column, unless it is an internal name. */
function isQualified(use: FunctionUse): boolean {
  return use.catalog !== "" || use.schema.toLowerCase().startsWith("agnes:");
}

/** Returns the constant paths in the first argument of a file reader; changing one changes the tree. */
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

/** Whether DuckDB reads a name as a file: `FROM 'file.parquet'`. */
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
