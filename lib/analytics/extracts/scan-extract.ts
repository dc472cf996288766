import { realpath } from "node:fs/promises";
import { join } from "node:path";

import { isExposedName, shown } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { RemoteAttachInfo } from "../../kit/mod.ts";
import { classify, type Classified, type ExtractObjects } from "./classify.ts";
import { databaseNames, type AnalyticsTable, type Issue } from "../model.ts";
import { viewFunctions, type NamedExtension } from "../remote/plan.ts";

/** The name of the file in an extract's folder. */
export const EXTRACT_FILE = "extract.duckdb";

/** What one extract offers. */
export interface ScannedExtract {
  readonly tables: readonly AnalyticsTable[];
  readonly remotes: readonly RemoteAttachInfo[];
  readonly issues: readonly Issue[];
}

/**
 * Reads what an extract says about itself, by the contract that every extract keeps: `_meta`, an object for each
 * row of it, perhaps `_remote_attach`. Our own side tables are used where they are.
 *
 * @throws `file_unreadable`, `duckdb_failed` when the file cannot be read as a whole
 */
export async function scanExtract(
  connection: Connection,
  source: string,
  directory: string,
  extensions: readonly NamedExtension[] = [],
): Promise<ScannedExtract> {
  const catalog = databaseNames.extract(source);
  const quoted = quoteIdentifier(catalog);
  await connection.run(`ATTACH ${quoteLiteral(join(directory, EXTRACT_FILE))} AS ${quoted} (READ_ONLY)`);
  try {
    return await readExtractFile(connection, { source, directory, catalog, extensions });
  } finally {
    await connection.run(`DETACH ${quoted}`);
  }
}

interface MetaRow {
  readonly table_name: string;
  readonly description: string | null;
  readonly rows: string | null;
  readonly size_bytes: string | null;
  readonly extracted_at: string | null;
  readonly query_mode: string | null;
}

async function readExtractFile(
  connection: Connection,
  file: {
    readonly source: string;
    readonly directory: string;
    readonly catalog: string;
    readonly extensions: readonly NamedExtension[];
  },
): Promise<ScannedExtract> {
  const { source, directory, catalog, extensions } = file;
  const from = (table: string) => `${quoteIdentifier(catalog)}.main.${quoteIdentifier(table)}`;
  const inCatalog = `database_name = ${quoteLiteral(catalog)} AND schema_name = 'main'`;
  const tables = await connection.rows<{ n: string }>(
    `SELECT table_name AS n FROM duckdb_tables() WHERE ${inCatalog}`,
  );
  const views = await connection.rows<{ n: string; sql: string }>(
    `SELECT view_name AS n, sql FROM duckdb_views() WHERE ${inCatalog} AND NOT internal`,
  );
  const has = new Set(tables.map(({ n }) => n));
  const metas = await connection.rows<MetaRow>(
    `SELECT table_name, description, rows::VARCHAR AS rows, size_bytes::VARCHAR AS size_bytes,
       strftime(extracted_at::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%gZ') AS extracted_at, query_mode
     FROM ${from("_meta")} ORDER BY extracted_at NULLS FIRST`,
  );
  const remotes = has.has("_remote_attach")
    ? await connection.rows<RemoteAttachInfo>(
        `SELECT alias, extension, url, coalesce(token_env, '') AS "tokenEnv" FROM ${from("_remote_attach")}`,
      )
    : [];
  const own = has.has("_generation") && has.has("_cursor");
  const [generation] = own
    ? await connection.rows<{ number: bigint; directory: string }>(
        `SELECT number, directory FROM ${from("_generation")}`,
      )
    : [];
  const cursors = own
    ? await connection.rows<CursorRow>(`SELECT table_name, source_columns, remote FROM ${from("_cursor")}`)
    : [];
  const extract: ExtractObjects = {
    source,
    directory,
    // Others wrote the paths they saw, perhaps not through the link that leads here.
    writtenDirectory: generation?.directory ?? (await realpath(directory)),
    views: new Map(views.flatMap(({ n, sql }) => pairOf(n, selectOf(sql)))),
    tables: new Set(tables.map(({ n }) => n.toLowerCase()).filter((name) => !name.startsWith("_"))),
    columns: await columnsOf(connection, inCatalog),
    aliases: new Set(remotes.map((remote) => remote.alias)),
    functions: new Set(remotes.flatMap((remote) => viewFunctions(remote.extension, extensions))),
  };
  return {
    remotes,
    ...(await readTables(connection, extract, metas, {
      generation: generation === undefined ? null : Number(generation.number),
      cursors: new Map(cursors.map((row) => [row.table_name, row])),
    })),
  };
}

async function columnsOf(connection: Connection, inCatalog: string): Promise<ExtractObjects["columns"]> {
  const rows = await connection.rows<{ t: string; name: string; type: string }>(
    `SELECT lower(table_name) AS t, column_name AS name, data_type AS type FROM duckdb_columns()
     WHERE ${inCatalog} AND NOT internal ORDER BY column_index`,
  );
  const columns = new Map<string, { name: string; type: string }[]>();
  for (const { t, name, type } of rows) columns.set(t, [...(columns.get(t) ?? []), { name, type }]);
  return columns;
}

interface CursorRow {
  readonly table_name: string;
  readonly source_columns: string | null;
  readonly remote: string | null;
}

interface OwnFacts {
  readonly generation: number | null;
  readonly cursors: ReadonlyMap<string, CursorRow>;
}

async function readTables(
  connection: Connection,
  extract: ExtractObjects,
  metas: readonly MetaRow[],
  own: OwnFacts,
): Promise<Pick<ScannedExtract, "tables" | "issues">> {
  const tables = new Map<string, AnalyticsTable>();
  const issues: Issue[] = [];
  for (const meta of metas) {
    const name = `${extract.source}.${meta.table_name}`;
    const skip = (reason: string) => void issues.push({ kind: "skipped", name, reason });
    const mode = meta.query_mode ?? "local";
    if (!isExposedName(meta.table_name)) skip(`${shown(meta.table_name)} is not a valid name`);
    else if (mode !== "local" && mode !== "remote" && mode !== "materialized")
      skip(`unknown query_mode ${shown(mode)}`);
    else {
      const read = await readTable(connection, extract, { ...meta, mode }, own);
      if (read.kind === "refused") {
        skip(read.reason);
        continue;
      }
      const folded = meta.table_name.toLowerCase();
      // `_meta` has no key. Rows come oldest first, so the newest one stays.
      if (tables.has(folded)) skip("_meta names it more than once; the newest row is used");
      tables.set(folded, read.table);
    }
  }
  return { tables: [...tables.values()], issues };
}

type ReadTable =
  | { readonly kind: "shown"; readonly table: AnalyticsTable }
  | { readonly kind: "refused"; readonly reason: string };

async function readTable(
  connection: Connection,
  extract: ExtractObjects,
  meta: MetaRow & { readonly mode: AnalyticsTable["mode"] },
  own: OwnFacts,
): Promise<ReadTable> {
  const cursor = own.cursors.get(meta.table_name);
  const place =
    meta.mode === "remote" && own.generation !== null ? remotePlace(meta.table_name, cursor) : null;
  const classified: Classified =
    place === null
      ? await classify(connection, extract, meta.table_name)
      : {
          kind: "shown",
          way: "remote",
          definition: `SELECT * FROM ${[databaseNames.remote(extract.source, place.alias), ...place.path].map(quoteIdentifier).join(".")}`,
          alias: place.alias,
        };
  if (classified.kind === "refused") return classified;
  const { way, definition, alias } = classified;
  const table: AnalyticsTable = {
    source: extract.source,
    name: meta.table_name,
    viewName: null,
    mode: meta.mode,
    way,
    definition,
    description: meta.description ?? "",
    rows: meta.mode === "remote" ? null : numberOf(meta.rows),
    sizeBytes: meta.mode === "remote" ? null : numberOf(meta.size_bytes),
    extractedAt: meta.extracted_at,
    generation: own.generation,
    columns: null,
    staleReason: null,
    sourceColumns:
      way === "attached"
        ? (extract.columns.get(meta.table_name.toLowerCase()) ?? null)
        : way === "remote"
          ? parsedJson<AnalyticsTable["sourceColumns"]>(cursor?.source_columns)
          : null,
    remote: alias === null ? null : { alias, path: place?.path ?? [] },
  };
  return { kind: "shown", table };
}

/** The SELECT of a `CREATE VIEW` as DuckDB prints it; null when it cannot be told apart. */
function selectOf(sql: string): string | null {
  const name = `(?:"(?:[^"]|"")*"|[\\p{L}\\p{N}_$]+)`;
  const pattern = new RegExp(
    `^CREATE VIEW ${name}(?:\\.${name})*\\s*(\\(${name}(?:,\\s*${name})*\\))?\\s*AS\\s+([\\s\\S]*?);?\\s*$`,
    "u",
  );
  const [, columns, select] = pattern.exec(sql) ?? [];
  if (select === undefined) return null;
  return columns === undefined ? select : `SELECT * FROM (${select}) AS v${columns}`;
}

/** Our own extracts say where a remote table is; one that says nothing is asked through its connector alone. */
function remotePlace(
  name: string,
  cursor: CursorRow | undefined,
): { readonly alias: string; readonly path: readonly string[] } {
  return (
    parsedJson<{ alias: string; path: readonly string[] }>(cursor?.remote) ?? { alias: "", path: [name] }
  );
}

function pairOf(name: string, select: string | null): [string, string][] {
  return select === null ? [] : [[name.toLowerCase(), select]];
}

function numberOf(text: string | null): number | null {
  return text === null ? null : Number(text);
}

function parsedJson<T>(text: string | null | undefined): T | null {
  return text == null ? null : (JSON.parse(text) as T);
}
