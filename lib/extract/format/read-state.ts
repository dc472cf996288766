import { storedType, type Connection } from "../../duckdb/mod.ts";
import { parseFileReading, type JsonValue, type RemoteAttachInfo } from "../../kit/mod.ts";
import type { QueryMode } from "../../tables/mod.ts";
import type {
  ExtractState,
  Generation,
  Part,
  PublishedColumn,
  PublishedTable,
  RejectRules,
  SchemaChange,
  SchemaVersion,
  Tombstone,
} from "./extract-state.ts";
import { extractTables, WHOLE_EXTRACT } from "./layout.ts";

/**
 * Reads the metadata tables of an open `extract.duckdb`.
 *
 * @param names the names of the tables in the file
 */
export async function readState(
  connection: Connection,
  directory: string,
  names: ReadonlySet<string>,
): Promise<ExtractState> {
  const { meta, schema, cursor, remoteAttach } = extractTables;
  const generations = await select<GenerationRow>(
    connection,
    `SELECT *, epoch_ms(started_at) AS started, epoch_ms(finished_at) AS finished
     FROM ${extractTables.generation.name}`,
  );
  const metas = await select<MetaRow>(
    connection,
    `SELECT table_name, description, rows, size_bytes, epoch_ms(extracted_at) AS extracted, query_mode
     FROM ${meta.name}`,
  );
  const parts = await partRows(connection);
  const schemas = await select<SchemaRow>(
    connection,
    `SELECT table_name, version, generation, epoch_ms(changed_at) AS changed, columns, source_columns, changes
     FROM ${schema.name} ORDER BY table_name, version`,
  );
  const cursors = await select<CursorRow>(connection, `SELECT * FROM ${cursor.name}`);
  const remotes = names.has(remoteAttach.name)
    ? await select<{ alias: string; extension: string; url: string; token_env: string }>(
        connection,
        `SELECT alias, extension, url, token_env FROM ${remoteAttach.name}`,
      )
    : [];
  const [generation] = generations;
  if (generation === undefined) throw new Error(`${extractTables.generation.name} is empty`);
  const partsOf = groupBy(parts, (row) => row.table_name);
  const schemasOf = groupBy(schemas, (row) => row.table_name);
  const cursorOf = new Map(cursors.map((row) => [row.table_name, row]));
  return {
    directory,
    generation: toGeneration(generation),
    tables: metas.map((row) =>
      toTable(
        row,
        (partsOf.get(row.table_name) ?? []).map(toPart),
        (schemasOf.get(row.table_name) ?? []).map(toSchema),
        cursorOf.get(row.table_name),
      ),
    ),
    remotes: remotes.map((row): RemoteAttachInfo => ({
      alias: row.alias,
      extension: row.extension,
      url: row.url,
      tokenEnv: row.token_env,
    })),
    eventIds: parsed<readonly string[]>(cursorOf.get(WHOLE_EXTRACT)?.event_ids) ?? [],
  };
}

/** Reads the part paths of an attached generation, relative to the folder of the extract. */
export async function readPaths(connection: Connection, database: string): Promise<readonly string[]> {
  const sql = `SELECT path FROM ${database}.${extractTables.parts.name}`;
  return (await select<{ path: string }>(connection, sql)).map((row) => row.path);
}

/** Reads all rows as one text, which is ten times faster than value by value if there are thousands of parts. */
async function partRows(connection: Connection): Promise<readonly PartRow[]> {
  const [row] = await select<{ parts: string | null }>(
    connection,
    `SELECT CAST(to_json(list(p ORDER BY table_name, ordinal)) AS VARCHAR) AS parts FROM ${extractTables.parts.name} p`,
  );
  return parsed<readonly PartRow[]>(row?.parts) ?? [];
}

async function select<T>(connection: Connection, sql: string): Promise<readonly T[]> {
  return connection.rows<T>(sql);
}

interface GenerationRow {
  readonly number: bigint;
  readonly run_id: string;
  readonly kind: string;
  readonly plugin: string;
  readonly plugin_version: string;
  readonly started: bigint;
  readonly finished: bigint;
  readonly directory: string;
  // Absent in extracts of earlier versions.
  readonly actor?: string | null;
}

interface MetaRow {
  readonly table_name: string;
  readonly description: string | null;
  readonly rows: bigint;
  readonly size_bytes: bigint;
  readonly extracted: bigint;
  readonly query_mode: string;
}

interface PartRow {
  readonly table_name: string;
  readonly path: string;
  readonly rows: number;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly schema_version: number;
  readonly partition: string | null;
  readonly origin: string | null;
  readonly key_min: string | null;
  readonly key_max: string | null;
  readonly cursor_min: string | null;
  readonly cursor_max: string | null;
  /** Absent in extracts of versions that had only one format. */
  readonly format?: number;
}

interface SchemaRow {
  readonly table_name: string;
  readonly version: number;
  readonly generation: bigint;
  readonly changed: bigint;
  readonly columns: string;
  readonly source_columns: string;
  readonly changes: string;
}

interface CursorRow {
  readonly table_name: string;
  readonly cursor_column: string | null;
  readonly cursor_value: string | null;
  readonly state: string | null;
  readonly source_columns: string | null;
  readonly definition: string | null;
  readonly tombstones: string | null;
  readonly event_ids: string | null;
  readonly remote: string | null;
  // Absent in extracts of earlier versions.
  readonly reading?: string | null;
  readonly rejecting?: string | null;
  readonly loaded_until?: string | null;
  readonly census_at?: string | null;
}

function toGeneration(row: GenerationRow): Generation {
  return {
    number: Number(row.number),
    runId: row.run_id,
    kind: row.kind as Generation["kind"],
    plugin: row.plugin,
    pluginVersion: row.plugin_version,
    startedAt: new Date(Number(row.started)),
    finishedAt: new Date(Number(row.finished)),
    directory: row.directory,
    ...(row.actor == null ? {} : { actor: row.actor }),
  };
}

function toTable(
  meta: MetaRow,
  parts: readonly Part[],
  schemas: readonly SchemaVersion[],
  cursor: CursorRow | undefined,
): PublishedTable {
  const current = schemas.at(-1);
  const state = parsed<JsonValue>(cursor?.state);
  const remote = parsed<NonNullable<PublishedTable["remote"]>>(cursor?.remote);
  const storedReading = parsed<JsonValue>(cursor?.reading);
  const reading = parseFileReading(storedReading);
  if (storedReading !== undefined && reading === null)
    throw new Error(`the stored reading of table ${meta.table_name} is not valid`);
  const rejecting = parsed<RejectRules>(cursor?.rejecting);
  return {
    name: meta.table_name,
    description: meta.description ?? "",
    rows: Number(meta.rows),
    sizeBytes: Number(meta.size_bytes),
    extractedAt: new Date(Number(meta.extracted)),
    mode: meta.query_mode as QueryMode,
    columns: current?.columns ?? [],
    sourceColumns: columnsIn(cursor?.source_columns ?? "[]"),
    parts,
    schemas,
    definition: cursor?.definition ?? "",
    tombstones: parsed<readonly Tombstone[]>(cursor?.tombstones) ?? [],
    ...(cursor?.cursor_column != null && cursor.cursor_value != null
      ? { cursor: { column: cursor.cursor_column, value: cursor.cursor_value } }
      : {}),
    ...(state === undefined ? {} : { state }),
    ...(remote === undefined ? {} : { remote }),
    ...(reading === null ? {} : { reading }),
    ...(rejecting === undefined ? {} : { rejecting }),
    ...(cursor?.loaded_until == null ? {} : { loadedUntil: cursor.loaded_until }),
    ...(cursor?.census_at == null ? {} : { censusAt: cursor.census_at }),
  };
}

function toPart(row: PartRow): Part {
  return {
    path: row.path,
    rows: row.rows,
    sizeBytes: row.size_bytes,
    sha256: row.sha256,
    format: row.format ?? 1,
    schemaVersion: row.schema_version,
    partition: row.partition,
    origin: row.origin,
    keyMin: row.key_min,
    keyMax: row.key_max,
    cursorMin: row.cursor_min,
    cursorMax: row.cursor_max,
  };
}

function toSchema(row: SchemaRow): SchemaVersion {
  return {
    version: row.version,
    generation: Number(row.generation),
    changedAt: new Date(Number(row.changed)),
    columns: columnsIn(row.columns),
    sourceColumns: columnsIn(row.source_columns),
    changes: JSON.parse(row.changes) as readonly SchemaChange[],
  };
}

/** Parses columns from JSON. Extracts of earlier versions may contain types that are now stored differently. */
function columnsIn(text: string): readonly PublishedColumn[] {
  const columns = JSON.parse(text) as readonly PublishedColumn[];
  return columns.map((column) => ({ ...column, type: storedType(column.type) }));
}

function parsed<T>(text: string | null | undefined): T | undefined {
  return text == null ? undefined : (JSON.parse(text) as T);
}

function groupBy<T>(rows: readonly T[], key: (row: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(key(row));
    if (group === undefined) groups.set(key(row), [row]);
    else group.push(row);
  }
  return groups;
}
