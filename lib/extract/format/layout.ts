/** A metadata table of `extract.duckdb`: its name and the types of its columns in order. */
export interface TableLayout<Column extends string> {
  readonly name: string;
  readonly columns: Readonly<Record<Column, string>>;
}

/** A value that `writeState` writes. */
export type LayoutValue = string | number | Date | null;

/** A row of a metadata table by column name. */
export type LayoutRow<Layout> =
  Layout extends TableLayout<infer Column> ? Readonly<Record<Column, LayoutValue>> : never;

function table<Column extends string>(
  name: string,
  columns: Readonly<Record<Column, string>>,
): TableLayout<Column> {
  return { name, columns };
}

/**
 * The metadata tables of `extract.duckdb`. `meta` and `remoteAttach` are the public contract; the others are private.
 */
export const extractTables = {
  meta: table("_meta", {
    table_name: "VARCHAR NOT NULL",
    description: "VARCHAR",
    rows: "BIGINT",
    size_bytes: "BIGINT",
    extracted_at: "TIMESTAMP",
    query_mode: "VARCHAR DEFAULT 'local'",
  }),
  generation: table("_generation", {
    number: "BIGINT",
    run_id: "VARCHAR",
    kind: "VARCHAR",
    plugin: "VARCHAR",
    plugin_version: "VARCHAR",
    started_at: "TIMESTAMP",
    finished_at: "TIMESTAMP",
    directory: "VARCHAR",
    actor: "VARCHAR",
  }),
  parts: table("_parts", {
    table_name: "VARCHAR",
    ordinal: "INTEGER",
    path: "VARCHAR",
    rows: "BIGINT",
    size_bytes: "BIGINT",
    sha256: "VARCHAR",
    schema_version: "INTEGER",
    partition: "VARCHAR",
    origin: "VARCHAR",
    key_min: "VARCHAR",
    key_max: "VARCHAR",
    cursor_min: "VARCHAR",
    cursor_max: "VARCHAR",
    format: "INTEGER",
  }),
  schema: table("_schema", {
    table_name: "VARCHAR",
    version: "INTEGER",
    generation: "BIGINT",
    changed_at: "TIMESTAMP",
    columns: "VARCHAR",
    source_columns: "VARCHAR",
    changes: "VARCHAR",
  }),
  cursor: table("_cursor", {
    table_name: "VARCHAR",
    cursor_column: "VARCHAR",
    cursor_value: "VARCHAR",
    state: "VARCHAR",
    source_columns: "VARCHAR",
    definition: "VARCHAR",
    tombstones: "VARCHAR",
    event_ids: "VARCHAR",
    remote: "VARCHAR",
    reading: "VARCHAR",
    rejecting: "VARCHAR",
    loaded_until: "VARCHAR",
    census_at: "VARCHAR",
  }),
  /** Only in extracts with remote tables. */
  remoteAttach: table("_remote_attach", {
    alias: "VARCHAR",
    extension: "VARCHAR",
    url: "VARCHAR",
    token_env: "VARCHAR",
  }),
} as const;

/** The `table_name` of the row in `_cursor` that applies to the whole extract. */
export const WHOLE_EXTRACT = "_stream";

/** Names that published tables cannot have, in lower case. */
export const reservedNames: ReadonlySet<string> = new Set([
  ...Object.values(extractTables).map(({ name }) => name),
  WHOLE_EXTRACT,
]);

/** Returns the CREATE TABLE statement of a metadata table. */
export function createTable({ name, columns }: TableLayout<string>): string {
  const list = Object.entries(columns).map(([column, type]) => `${column} ${type}`);
  return `CREATE TABLE ${name} (${list.join(", ")})`;
}
