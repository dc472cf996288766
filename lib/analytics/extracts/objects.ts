import { createHash } from "node:crypto";

import { quoteLiteral, type Connection } from "../../duckdb/mod.ts";

/** A column of an object. */
export interface ObjectColumn {
  readonly name: string;
  readonly type: string;
  /** The expression of a default or of a generated column; null if there is none. */
  readonly expression: string | null;
}

/** A table of an extract. */
export interface ObjectTable {
  readonly name: string;
  readonly columns: readonly ObjectColumn[];
  /** Whether it may have generated columns. */
  readonly mayCompute: boolean;
}

/** The objects in an extract's file. */
export interface ExtractCatalog {
  /** Tables of schema `main` by lower-case name. */
  readonly tables: ReadonlyMap<string, ObjectTable>;
  /** The `CREATE VIEW` of each view of schema `main`, by lower-case name. */
  readonly views: ReadonlyMap<string, string>;
  /** Columns of the views, by lower-case name of the view. */
  readonly viewColumns: ReadonlyMap<string, readonly ObjectColumn[]>;
  /** The definitions of tables and views, in every schema. */
  readonly definitions: readonly Definition[];
}

/** The definition of one object. */
export interface Definition {
  readonly kind: "table" | "view" | "macro";
  readonly schema: string;
  readonly name: string;
  readonly sql: string;
}

/** Lists the tables and views of an attached extract. No code of the extract is run. */
export async function readObjects(
  connection: Connection,
  catalog: string,
  signal?: AbortSignal,
): Promise<ExtractCatalog> {
  const options = signal === undefined ? {} : { signal };
  const definitions = await readDefinitions(connection, catalog, options);
  const columns = await readColumns(connection, catalog, options);
  const inMain = definitions.filter(({ schema }) => schema === "main");
  const ofKind = (kind: Definition["kind"]) => inMain.filter((definition) => definition.kind === kind);
  return {
    tables: new Map(
      ofKind("table").map(({ name, sql }) => [
        fold(name),
        { name, columns: columns.get(fold(name)) ?? [], mayCompute: COMPUTED.test(sql) },
      ]),
    ),
    views: new Map(ofKind("view").map(({ name, sql }) => [fold(name), sql])),
    viewColumns: new Map(ofKind("view").map(({ name }) => [fold(name), columns.get(fold(name)) ?? []])),
    definitions,
  };
}

/** Lists the macros of an attached extract in all schemas. This is slow, because DuckDB lists all its functions. */
export async function readMacros(
  connection: Connection,
  catalog: string,
  signal?: AbortSignal,
): Promise<readonly Definition[]> {
  const options = signal === undefined ? {} : { signal };
  return connection.rows<Definition>(
    `SELECT ${MACRO} FROM duckdb_functions() WHERE database_name = ${quoteLiteral(catalog)} AND NOT internal`,
    options,
  );
}

/** Lists the macros of all attached databases. */
export async function readAllMacros(
  connection: Connection,
  signal: AbortSignal,
): Promise<readonly (Definition & { readonly database: string })[]> {
  return connection.rows(
    `SELECT database_name AS database, ${MACRO} FROM duckdb_functions() WHERE NOT internal`,
    { signal },
  );
}

const MACRO =
  "'macro' AS kind, schema_name AS schema, function_name AS name, coalesce(macro_definition, '') AS sql";

/** Returns a digest of the definitions in an attached extract that affect the rows of its tables. */
export async function digestObjects(connection: Connection, catalog: string): Promise<string> {
  return digestOf(await readDefinitions(connection, catalog, {}), () => readMacros(connection, catalog));
}

/** Returns a digest of definitions. Macros are included if a column could call them. */
export async function digestOf(
  definitions: readonly Definition[],
  macros: () => Promise<readonly Definition[]>,
): Promise<string> {
  const mayCall = definitions.some(({ kind, sql }) => kind === "table" && COMPUTED.test(sql));
  const lines = [...definitions, ...(mayCall ? await macros() : [])]
    .map(({ kind, schema, name, sql }) => JSON.stringify([kind, schema, name, sql]))
    .sort();
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

const COMPUTED = /GENERATED ALWAYS AS/i;

async function readDefinitions(
  connection: Connection,
  catalog: string,
  options: { readonly signal?: AbortSignal },
): Promise<readonly Definition[]> {
  const inCatalog = `database_name = ${quoteLiteral(catalog)}`;
  return connection.rows<Definition>(
    `SELECT 'table' AS kind, schema_name AS schema, table_name AS name, coalesce(sql, '') AS sql
     FROM duckdb_tables() WHERE ${inCatalog}
     UNION ALL SELECT 'view', schema_name, view_name, coalesce(sql, '')
     FROM duckdb_views() WHERE ${inCatalog} AND NOT internal`,
    options,
  );
}

async function readColumns(
  connection: Connection,
  catalog: string,
  options: { readonly signal?: AbortSignal },
): Promise<ReadonlyMap<string, readonly ObjectColumn[]>> {
  const rows = await connection.rows<ObjectColumn & { readonly of: string }>(
    `SELECT table_name AS of, column_name AS name, data_type AS type, column_default AS expression
     FROM duckdb_columns() WHERE database_name = ${quoteLiteral(catalog)} AND schema_name = 'main' AND NOT internal
     ORDER BY column_index`,
    options,
  );
  const columns = new Map<string, ObjectColumn[]>();
  for (const { of, ...column } of rows) {
    const known = columns.get(fold(of));
    if (known === undefined) columns.set(fold(of), [column]);
    else known.push(column);
  }
  return columns;
}

function fold(name: string): string {
  return name.toLowerCase();
}
