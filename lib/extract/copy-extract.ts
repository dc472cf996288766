import { basename, join, resolve } from "node:path";

import { isAgnesError, randomId, type Host } from "../base/mod.ts";
import { acquireLock, parquetFooter, type Database } from "../duckdb/mod.ts";
import type { QueryMode } from "../tables/mod.ts";
import {
  type ExtractState,
  type Part,
  type PublishedColumn,
  type PublishedTable,
} from "./format/extract-state.ts";
import { reservedNames } from "./format/layout.ts";
import { extractPath, lockPath, partsDirectory, relativePartPath } from "./format/paths.ts";
import type { ExtractServices } from "./job/services.ts";
import { publish } from "./publish/publish.ts";
import { sweepPublished, sweepTemporary } from "./publish/sweep.ts";
import { partsQuery } from "./schema/view.ts";
import { readExtract } from "./state/read-extract.ts";
import { checkCount } from "./write/write-part.ts";

/** A table of another workspace to publish here. */
export interface CopiedTable {
  readonly name: string;
  readonly description: string;
  readonly mode: Exclude<QueryMode, "remote">;
  readonly primaryKey: readonly string[];
  readonly rows: number;
  readonly sizeBytes: number;
  readonly extractedAt: Date;
  readonly columns: readonly PublishedColumn[];
  /** The layouts that parts refer to. */
  readonly layouts: readonly { readonly version: number; readonly columns: readonly PublishedColumn[] }[];
  /** Without paths: the name of a copied part is its hash. */
  readonly parts: readonly Omit<Part, "path">[];
}

/** Whether a table can have this name in an extract. */
export function isTableName(name: string): boolean {
  return !reservedNames.has(name.toLowerCase());
}

/** The path of a copied part, relative to the folder of the extract. */
function copiedPartPath(directory: string, table: string, sha256: string): string {
  return relativePartPath(basename(partsDirectory(directory, table)), `${sha256.slice(0, 32)}.parquet`);
}

/** The published state of a copied table. It has no cursor, because nothing is read from a source. */
export function copiedTable(directory: string, table: CopiedTable): PublishedTable {
  const { name, mode, primaryKey, columns } = table;
  const layouts = table.layouts.toSorted((a, b) => a.version - b.version);
  const changedAt = table.extractedAt;
  const versions = [...layouts, { version: (layouts.at(-1)?.version ?? 0) + 1, columns }];
  return {
    name,
    mode,
    description: table.description,
    rows: table.rows,
    sizeBytes: table.sizeBytes,
    extractedAt: table.extractedAt,
    columns,
    sourceColumns: columns,
    parts: table.parts.map((part) => ({ ...part, path: copiedPartPath(directory, name, part.sha256) })),
    // The last one has the current columns.
    schemas: versions.map((layout) => ({
      version: layout.version,
      generation: 0,
      changedAt,
      columns: layout.columns,
      sourceColumns: layout.columns,
      changes: [],
    })),
    definition: JSON.stringify([name, mode, null, "full_refresh", primaryKey, null]),
    tombstones: [],
  };
}

/** Whether two states of a copied table are the same for readers. */
export function isSameCopy(a: PublishedTable | undefined, b: PublishedTable): boolean {
  return a !== undefined && JSON.stringify(shown(a)) === JSON.stringify(shown(b));
}

function shown(table: PublishedTable) {
  const { columns, parts, schemas } = table;
  return [
    table.name,
    table.mode,
    table.description,
    table.rows,
    table.extractedAt.getTime(),
    table.definition,
    columns.map(columnOf),
    parts.map(({ path, sha256, schemaVersion }) => [path, sha256, schemaVersion]),
    schemas.map((layout) => [layout.version, layout.columns.map(columnOf)]),
  ];
}

function columnOf({ name, type, nullable, description = "" }: PublishedColumn) {
  return [name, type, nullable, description];
}

/**
 * Checks that the parts of a copied table have its rows and columns, by its view and by the footers.
 * @throws `rows_lost`, `file_unreadable` and errors of DuckDB
 */
export async function checkCopy(
  { files }: Pick<Host, "files">,
  database: Database,
  directory: string,
  table: PublishedTable,
): Promise<void> {
  for (const part of table.parts) {
    const { rows } = await parquetFooter(files, join(directory, part.path));
    checkCount(table.name, part.rows, rows, "a part");
  }
  await using connection = await database.connect();
  const query = partsQuery(directory, table.parts, table.columns, table.schemas);
  // Binds all columns; the counts of parts are known from their footers.
  await connection.run(`SELECT * FROM (${query}) LIMIT 0`);
  const rows = table.parts.reduce((sum, part) => sum + part.rows, 0);
  checkCount(table.name, table.rows, rows, "its parts");
}

/**
 * Publishes copied tables as the whole extract of a source; without tables, removes the extract. Earlier generations are not
 * kept: they could contain tables that are no longer permitted.
 *
 * @param database returns an in-memory database, with which nothing else is published meanwhile
 * @throws `locked`, `disk_full`, `file_failed`; the previous state stays published
 */
export async function publishCopy(
  services: ExtractServices,
  database: () => Promise<Database>,
  directory: string,
  tables: readonly PublishedTable[],
): Promise<void> {
  const root = resolve(directory);
  const { host } = services;
  await host.files.makeDirectory(root);
  await using _lock = await acquireLock(host.files, lockPath(root), `the extract in ${root}`);
  await sweepTemporary(host, root);
  if (tables.length === 0) {
    await host.files.remove(extractPath(root));
    await host.files.sync(root);
    return;
  }
  const number = (await numberOf(services, root)) + 1;
  const now = host.now();
  const state: ExtractState = {
    directory: root,
    generation: {
      number,
      runId: randomId(host),
      kind: "run",
      plugin: "copy",
      pluginVersion: "1",
      startedAt: now,
      finishedAt: now,
      directory: root,
    },
    tables,
    remotes: [],
    eventIds: [],
  };
  await publish(services, await database(), state, { previous: null, verify: new Set() });
  await sweepPublished(services, state);
}

/** The number of the current generation; 0 if there is none, or if it cannot be read and is replaced. */
async function numberOf({ host, log }: ExtractServices, root: string): Promise<number> {
  try {
    return (await readExtract(host.files, root))?.generation.number ?? 0;
  } catch (error) {
    if (!isAgnesError(error, "extract_unreadable")) throw error;
    log.warn("an extract of the copy cannot be read and is replaced", { path: extractPath(root), error });
    return 0;
  }
}
