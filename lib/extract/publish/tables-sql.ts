/** The tables of `extract.duckdb`. `_meta` and `_remote_attach` are the contract; the others are our own. */
export const createTables: readonly string[] = [
  `CREATE TABLE _meta (table_name VARCHAR NOT NULL, description VARCHAR, rows BIGINT, size_bytes BIGINT,
     extracted_at TIMESTAMP, query_mode VARCHAR DEFAULT 'local')`,
  `CREATE TABLE _generation (number BIGINT, run_id VARCHAR, kind VARCHAR, plugin VARCHAR, plugin_version VARCHAR,
     started_at TIMESTAMP, finished_at TIMESTAMP, directory VARCHAR)`,
  `CREATE TABLE _parts (table_name VARCHAR, ordinal INTEGER, path VARCHAR, rows BIGINT, size_bytes BIGINT,
     sha256 VARCHAR, schema_version INTEGER, partition VARCHAR, origin VARCHAR, key_min VARCHAR, key_max VARCHAR,
     cursor_min VARCHAR, cursor_max VARCHAR, format INTEGER)`,
  `CREATE TABLE _schema (table_name VARCHAR, version INTEGER, generation BIGINT, changed_at TIMESTAMP,
     columns VARCHAR, source_columns VARCHAR, changes VARCHAR)`,
  `CREATE TABLE _cursor (table_name VARCHAR, cursor_column VARCHAR, cursor_value VARCHAR, state VARCHAR,
     source_columns VARCHAR, definition VARCHAR, tombstones VARCHAR, event_ids VARCHAR, remote VARCHAR,
     reading VARCHAR)`,
];

/** Only in extracts with remote tables. */
export const createRemoteAttach: string =
  "CREATE TABLE _remote_attach (alias VARCHAR, extension VARCHAR, url VARCHAR, token_env VARCHAR)";

/** The `table_name` of the row of `_cursor` that belongs to the whole extract. */
export const WHOLE_EXTRACT = "_stream";
