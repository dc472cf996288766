import { join } from "node:path";

import {
  AgnesError,
  isAgnesError,
  isExposedName,
  messageOf,
  reasonOf,
  formatValue,
  type Files,
} from "../../base/mod.ts";
import { quoteIdentifier, type Connection, type DuckDBLimits } from "../../duckdb/mod.ts";
import { EXTRACT_FILE, extractTables } from "../../extract/format/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import { queryModes } from "../../tables/mod.ts";
import { databaseNames, type AnalyticsTable, type Issue, type RemotePlace } from "../model.ts";
import { isExact, viewFunctions, type NamedExtension } from "../remote/plan.ts";
import { Classifier, isFunctionName, type Classified } from "./classify.ts";
import { checkFolder, strangeDigest, type ExtractFolder } from "./folder.ts";
import {
  digestOf,
  readMacros,
  readObjects,
  type Definition,
  type ExtractCatalog,
  type ObjectColumn,
} from "./objects.ts";
import { openUnchanged } from "./open-unchanged.ts";
import { openExtract } from "./open-extract.ts";
import { nameOf, readMeta, type MetaRow } from "./read-meta.ts";
import { readSideTables, type OwnFacts } from "./read-side-tables.ts";
import { rejectWhenStuck, tryView } from "./try-view.ts";
import { isTypeText } from "./view-text.ts";

/** The tables and databases of one extract. */
export interface ScannedExtract {
  readonly tables: readonly AnalyticsTable[];
  readonly remotes: readonly RemoteAttachInfo[];
  readonly issues: readonly Issue[];
  /** A digest of the definitions in the file; null if no session attaches it. */
  readonly digest: string | null;
  /** See `strangeDigest`. */
  readonly strange: string;
}

/** The extract to scan, and options. */
export interface ScanRequest {
  readonly files: Files;
  /** The folder of all extracts. */
  readonly root: string;
  readonly source: string;
  readonly limits: DuckDBLimits;
  /** The DuckDB extensions that loaded plugins declare. Default: none. */
  readonly extensions?: readonly NamedExtension[] | undefined;
  /** Returns the macros of the extract from a combined list; `null`: list them separately. */
  readonly macros?: (signal: AbortSignal) => Promise<readonly Definition[] | null>;
  /** Whether it publishes no tables yet, so that a table that cannot be checked now does not fail the whole extract. */
  readonly isNew?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads the metadata of an extract according to the contract: `_meta`, an object for each of its rows, and optionally
 * `_remote_attach` and the other metadata tables of Agnes. The extract is untrusted, so it is opened in an instance that
 * can only read its folder.
 *
 * @throws `extract_refused`, `file_unreadable`, `duckdb_failed`, `duckdb_stuck` if the whole extract cannot be read
 */
export async function scanExtract(request: ScanRequest): Promise<ScannedExtract> {
  const { source, signal } = request;
  const { folder, extract } = await openChecked(request);
  await using _closing = extract;
  const { connection } = extract;
  const name = databaseNames.extract(source);
  const catalog = await readObjects(connection, name, signal);
  const path = join(folder.directory, EXTRACT_FILE);
  const { name: metaName } = extractTables.meta;
  if (catalog.views.has(metaName)) throw refused(path, "its _meta is a view and not a table");
  const macros = once(async () => {
    const listed = (await request.macros?.(signal)) ?? (await readMacros(connection, name, signal));
    return safeMacros(listed, path);
  });
  const from = (table: string) => [name, "main", table].map(quoteIdentifier).join(".");
  const meta = await readMeta(
    connection,
    { source, path, from: from(metaName) },
    catalog.tables.get(metaName),
    signal,
  );
  const side = await readSideTables(connection, source, { objects: catalog, from, signal });
  // An extract of Agnes publishes views of files, which call no macros.
  if (side.own === null) await macros();
  const objects = {
    source,
    folder: { ...folder, source, writtenDirectory: side.own?.directory ?? null },
    catalog,
    macros: async () => new Set((await macros()).map((macro) => macro.name.toLowerCase())),
    aliases: new Set(side.remotes.map(({ alias }) => alias)),
    functions: new Set(
      side.remotes.flatMap(({ extension }) => viewFunctions(extension, request.extensions ?? [])),
    ),
  };
  const reader = new TableReader(connection, {
    source,
    path,
    catalog,
    own: side.own,
    classifier: new Classifier(connection, objects, signal),
    inexact: new Set(
      side.remotes.flatMap(({ alias, extension }) =>
        isExact(extension, request.extensions ?? []) ? [] : [alias],
      ),
    ),
    isNew: request.isNew === true,
    signal,
  });
  const read = await reader.readAll(meta.rows);
  const isAttached = read.tables.some(({ accessMode }) => accessMode === "attached");
  return {
    remotes: side.remotes,
    digest: isAttached ? await digestOf(catalog.definitions, macros) : null,
    strange: strangeDigest(folder),
    tables: read.tables,
    issues: [...meta.issues, ...side.issues, ...read.issues],
  };
}

/** @throws `extract_refused` if the file of the extract is replaced each time it is opened */
async function openChecked(request: ScanRequest): Promise<OpenedExtract> {
  const { files, root, source } = request;
  const found = await openUnchanged(
    files,
    join(root, source),
    () => checkFolder(files, root, source),
    ({ directory }) => openExtract(request, directory),
    (extract) => extract[Symbol.asyncDispose](),
  );
  if (found !== null) return { folder: found.checked, extract: found.opened };
  throw refused(join(root, source, EXTRACT_FILE), "it was replaced while it was opened");
}

interface OpenedExtract {
  readonly folder: ExtractFolder;
  readonly extract: { readonly connection: Connection } & AsyncDisposable;
}

/** @throws `extract_refused` if a macro could replace an allowed function */
function safeMacros(macros: readonly Definition[], path: string): readonly Definition[] {
  const bad = macros.find((macro) => isFunctionName(macro.name));
  if (bad !== undefined)
    throw refused(path, `its macro ${formatValue(bad.name)} has the name of a built-in function`);
  return macros;
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= work());
}

interface ReadContext {
  readonly source: string;
  /** The extract's file, for errors. */
  readonly path: string;
  readonly catalog: ExtractCatalog;
  readonly own: OwnFacts | null;
  readonly classifier: Classifier;
  /** The aliases of the databases whose columns, types and conditions are not exact. */
  readonly inexact: ReadonlySet<string>;
  readonly isNew: boolean;
  readonly signal: AbortSignal;
}

/** Reads the tables of one extract independently of each other. */
class TableReader {
  readonly #connection: Connection;
  readonly #context: ReadContext;

  constructor(connection: Connection, context: ReadContext) {
    this.#connection = connection;
    this.#context = context;
  }

  async readAll(metas: readonly MetaRow[]): Promise<Pick<ScannedExtract, "tables" | "issues">> {
    const tables = new Map<string, AnalyticsTable>();
    const issues: Issue[] = [];
    for (const meta of metas) {
      const name = nameOf(this.#context.source, meta.tableName);
      const read = await this.#readGuarded(meta);
      if (read.kind !== "accepted") {
        issues.push({ ...read, name });
        continue;
      }
      const folded = meta.tableName.toLowerCase();
      // `_meta` has no key. Rows are sorted oldest first, so the newest one wins.
      if (tables.has(folded))
        issues.push({
          kind: "skipped",
          name,
          reason: "_meta lists it more than once; the newest row is used",
        });
      tables.set(folded, read.table);
    }
    return { tables: [...tables.values()], issues };
  }

  async #readGuarded(meta: MetaRow): Promise<ReadTable> {
    try {
      return await this.#read(meta);
    } catch (error) {
      const isWhole =
        isAgnesError(error, "extract_refused") ||
        (isAgnesError(error, "duckdb_stuck") && !this.#context.isNew) ||
        this.#context.signal.aborted;
      if (isWhole) throw error;
      const code = isAgnesError(error) ? error.code : "view_failed";
      return { kind: "error", code, reason: isAgnesError(error) ? reasonOf(error) : messageOf(error) };
    }
  }

  async #read(meta: MetaRow): Promise<ReadTable> {
    const { source, path, own, classifier } = this.#context;
    const { tableName } = meta;
    const mode = queryModes.find((known) => known === meta.mode);
    if (!isExposedName(tableName)) return skipped(`${formatValue(tableName)} is not a valid name`);
    if (mode === undefined) return skipped(`unknown query_mode ${formatValue(meta.mode)}`);
    const facts = own?.tables.get(tableName);
    const place: RemotePlace | null =
      mode === "remote" && own !== null ? (facts?.remote ?? { alias: "", path: [tableName] }) : null;
    const classified: Classified =
      place === null
        ? await classifier.classify(tableName)
        : remoteOf(source, this.#placeOf(tableName, place));
    if (classified.kind === "refused") {
      if (classified.macro !== undefined)
        throw refused(path, `one of its views calls its macro ${formatValue(classified.macro)}`);
      return skipped(classified.reason);
    }
    await this.#try(classified);
    const { accessMode, definition, alias } = classified;
    const table: AnalyticsTable = {
      source,
      name: tableName,
      viewName: null,
      mode,
      accessMode,
      definition,
      description: meta.description ?? "",
      rows: mode === "remote" ? null : meta.rows,
      sizeBytes: mode === "remote" ? null : meta.sizeBytes,
      extractedAt: meta.extractedAt,
      generation: own?.generation ?? null,
      columns: null,
      staleReason: null,
      sourceColumns: accessMode === "file" ? null : usableColumns(this.#columnsOf(tableName, accessMode)),
      remote: alias === null ? null : { alias, path: place?.path ?? [] },
    };
    return { kind: "accepted", table };
  }

  /** Tests a definition. A view of files is tested again when it is published, an attached one only here. */
  async #try({
    accessMode,
    isPlain,
    isStored,
    definition,
  }: Classified & { readonly kind: "accepted" }): Promise<void> {
    if (isPlain || accessMode === "remote") return;
    const { path, signal } = this.#context;
    if (!isStored) rejectWhenStuck(path);
    const failure = await tryView(this.#connection, path, definition, signal);
    if (failure !== null && accessMode === "attached") throw failure;
  }

  /** Adds the columns of a remote table whose extension is not exact. Without them, the table is not attached. */
  #placeOf(name: string, place: RemotePlace): RemotePlace & { readonly columns?: readonly SqlColumn[] } {
    if (!this.#context.inexact.has(place.alias)) return place;
    const columns = usableColumns(this.#columnsOf(name, "remote"));
    return columns === null ? { ...place, alias: "" } : { ...place, columns };
  }

  #columnsOf(name: string, accessMode: "attached" | "remote"): AnalyticsTable["sourceColumns"] {
    const { catalog, own } = this.#context;
    if (accessMode === "remote") return own?.tables.get(name)?.sourceColumns ?? null;
    const folded = name.toLowerCase();
    const columns: readonly ObjectColumn[] | undefined =
      catalog.tables.get(folded)?.columns ?? catalog.viewColumns.get(folded);
    return columns?.map((column) => ({ name: column.name, type: column.type })) ?? null;
  }
}

type ReadTable =
  | { readonly kind: "accepted"; readonly table: AnalyticsTable }
  | { readonly kind: "skipped"; readonly reason: string }
  | { readonly kind: "error"; readonly code: string; readonly reason: string };

function skipped(reason: string): ReadTable {
  return { kind: "skipped", reason };
}

interface SqlColumn {
  readonly name: string;
  readonly type: string;
}

/** Classifies a remote table of an extract of Agnes. Without an alias, it is read only through its connector. */
function remoteOf(
  source: string,
  { alias, path, columns }: RemotePlace & { readonly columns?: readonly SqlColumn[] },
): Classified {
  const from = [databaseNames.remote(source, alias), ...path].map(quoteIdentifier).join(".");
  return {
    kind: "accepted",
    accessMode: "remote",
    definition: columns === undefined ? `SELECT * FROM ${from}` : exactSelect(from, columns),
    alias,
    isPlain: true,
    isStored: false,
  };
}

const ALL_ROWS = 2n ** 63n - 1n;

/**
 * Selects columns in their types, so that the extension receives no conditions: DuckDB moves conditions of a query not
 * below a limit, and those of a join not below an expression.
 */
function exactSelect(from: string, columns: readonly SqlColumn[]): string {
  const items = columns.map(({ name, type }) => {
    const column = quoteIdentifier(name);
    return `CASE WHEN ${column} IS NULL THEN NULL ELSE CAST(${column} AS ${type}) END AS ${column}`;
  });
  return `SELECT ${items.join(", ")} FROM ${from} LIMIT ${ALL_ROWS}`;
}

/** Returns columns if all of them are valid in SQL; otherwise they are unknown. */
function usableColumns(columns: AnalyticsTable["sourceColumns"]): AnalyticsTable["sourceColumns"] {
  if (columns === null || columns.length === 0) return null;
  const areUsable = columns.every(
    ({ name, type }) => name !== "" && !name.includes("\0") && isTypeText(type),
  );
  return areUsable ? columns : null;
}

function refused(path: string, reason: string): AgnesError {
  return new AgnesError("extract_refused", { path, reason });
}
