import { quoteLiteral } from "../../duckdb/mod.ts";
import type { ExtractState, PublishedTable } from "./extract-state.ts";
import {
  createTable,
  extractTables,
  WHOLE_EXTRACT,
  type LayoutRow,
  type LayoutValue,
  type TableLayout,
} from "./layout.ts";

/** Maximum number of rows in one INSERT. */
const INSERT_ROWS = 500;

/**
 * Returns the statements that create and fill the metadata tables of an `extract.duckdb`. Views are created separately.
 */
export function writeState(state: ExtractState): readonly string[] {
  const { meta, generation, parts, schema, cursor, remoteAttach } = extractTables;
  const { tables, remotes } = state;
  return [
    ...[meta, generation, parts, schema, cursor].map(createTable),
    ...insert(generation, [generationRow(state)]),
    ...insert(meta, tables.map(metaRow)),
    ...insert(parts, tables.flatMap(partRows)),
    ...insert(schema, tables.flatMap(schemaRows)),
    ...insert(cursor, [...tables.map(cursorRow), wholeExtractRow(state)]),
    ...(remotes.length === 0 ? [] : [createTable(remoteAttach)]),
    ...insert(
      remoteAttach,
      remotes.map(({ alias, extension, url, tokenEnv }) => ({ alias, extension, url, token_env: tokenEnv })),
    ),
  ];
}

type Tables = typeof extractTables;

function generationRow({ generation: g }: ExtractState): LayoutRow<Tables["generation"]> {
  return {
    number: g.number,
    run_id: g.runId,
    kind: g.kind,
    plugin: g.plugin,
    plugin_version: g.pluginVersion,
    started_at: g.startedAt,
    finished_at: g.finishedAt,
    directory: g.directory,
    actor: g.actor ?? null,
  };
}

function metaRow(table: PublishedTable): LayoutRow<Tables["meta"]> {
  return {
    table_name: table.name,
    description: table.description,
    rows: table.rows,
    size_bytes: table.sizeBytes,
    extracted_at: table.extractedAt,
    query_mode: table.mode,
  };
}

function partRows({ name, parts }: PublishedTable): readonly LayoutRow<Tables["parts"]>[] {
  return parts.map((part, ordinal) => ({
    table_name: name,
    ordinal,
    path: part.path,
    rows: part.rows,
    size_bytes: part.sizeBytes,
    sha256: part.sha256,
    schema_version: part.schemaVersion,
    partition: part.partition,
    origin: part.origin,
    key_min: part.keyMin,
    key_max: part.keyMax,
    cursor_min: part.cursorMin,
    cursor_max: part.cursorMax,
    format: part.format,
  }));
}

function schemaRows({ name, schemas }: PublishedTable): readonly LayoutRow<Tables["schema"]>[] {
  return schemas.map((schema) => ({
    table_name: name,
    version: schema.version,
    generation: schema.generation,
    changed_at: schema.changedAt,
    columns: JSON.stringify(schema.columns),
    source_columns: JSON.stringify(schema.sourceColumns),
    changes: JSON.stringify(schema.changes),
  }));
}

function cursorRow(table: PublishedTable): LayoutRow<Tables["cursor"]> {
  return {
    table_name: table.name,
    cursor_column: table.cursor?.column ?? null,
    cursor_value: table.cursor?.value ?? null,
    state: table.state === undefined ? null : JSON.stringify(table.state),
    source_columns: JSON.stringify(table.sourceColumns),
    definition: table.definition,
    tombstones: table.tombstones.length === 0 ? null : JSON.stringify(table.tombstones),
    event_ids: null,
    remote: table.remote === undefined ? null : JSON.stringify(table.remote),
    reading: table.reading === undefined ? null : JSON.stringify(table.reading),
    rejecting: table.rejecting === undefined ? null : JSON.stringify(table.rejecting),
    loaded_until: table.loadedUntil ?? null,
    census_at: table.censusAt ?? null,
  };
}

function wholeExtractRow({ eventIds }: ExtractState): LayoutRow<Tables["cursor"]> {
  return {
    table_name: WHOLE_EXTRACT,
    cursor_column: null,
    cursor_value: null,
    state: null,
    source_columns: null,
    definition: null,
    tombstones: null,
    event_ids: eventIds.length === 0 ? null : JSON.stringify(eventIds),
    remote: null,
    reading: null,
    rejecting: null,
    loaded_until: null,
    census_at: null,
  };
}

function insert<Column extends string>(
  { name, columns }: TableLayout<Column>,
  rows: readonly Readonly<Record<Column, LayoutValue>>[],
): readonly string[] {
  const order = Object.keys(columns) as Column[];
  const statements: string[] = [];
  for (let from = 0; from < rows.length; from += INSERT_ROWS) {
    const values = rows
      .slice(from, from + INSERT_ROWS)
      .map((row) => `(${order.map((column) => literal(row[column])).join(", ")})`);
    statements.push(`INSERT INTO ${name} VALUES ${values.join(", ")}`);
  }
  return statements;
}

function literal(value: LayoutValue): string {
  if (value === null) return "NULL";
  if (value instanceof Date) return quoteLiteral(value.toISOString().slice(0, -1).replace("T", " "));
  return typeof value === "number" ? String(value) : quoteLiteral(value);
}
