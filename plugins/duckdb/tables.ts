import {
  AgnesError,
  quoteIdentifier,
  quoteLiteral,
  table as tableInfo,
  type TableInfo,
  type TableMetadata,
} from "agnes/kit";

import { errors } from "./errors.ts";
import type { DuckDBOptions } from "./options.ts";
import type { Source } from "./source.ts";

/** A table or view in the catalog of the database. */
interface Listed {
  readonly schema: string;
  readonly name: string;
  readonly comment: string | null;
  readonly isView: boolean;
  readonly estimatedRows: number | null;
}

/**
 * Lists the tables and views. Those outside the schema `main` are named `schema.name`.
 *
 * @throws `duckdb/schema_missing` if none of the configured schemas exists
 */
export async function describeTables(
  source: Source,
  options: DuckDBOptions,
  signal: AbortSignal,
): Promise<readonly TableInfo[]> {
  const schemaProblems = await missingSchemas(source, options, signal);
  const all = await list(source, signal);
  const keys = await primaryKeys(source, signal);
  const offered = all.filter((one) => isOffered(one, options));
  const described = offered.map(async (one) => ({
    ...(await describe(source, one, keys.get(nameOf(one)) ?? [], signal)),
    // The path as configured, so that a workspace can be moved together with its database.
    identity: options.path,
  }));
  return [...(await Promise.all(described)), ...missingTables(all, options), ...schemaProblems];
}

/** Returns metadata of tables without reading them. */
export async function statistics(
  source: Source,
  tables: readonly TableInfo[],
  signal: AbortSignal,
): Promise<readonly TableMetadata[]> {
  const wanted = new Set(tables.map((table) => table.name));
  return (await list(source, signal))
    .filter((one) => wanted.has(nameOf(one)))
    .map((one) => ({
      name: nameOf(one),
      entityType: one.isView ? "view" : "table",
      ...(one.estimatedRows === null ? {} : { rows: one.estimatedRows }),
    }));
}

async function list(source: Source, signal: AbortSignal): Promise<readonly Listed[]> {
  const here = `database_name = ${quoteLiteral(source.name)} AND NOT internal`;
  const rows = await source.rows(
    `SELECT schema_name, table_name AS name, comment, false AS is_view, estimated_size AS size
       FROM duckdb_tables() WHERE ${here}
     UNION ALL
     SELECT schema_name, view_name, comment, true, NULL FROM duckdb_views() WHERE ${here}
     ORDER BY schema_name, name`,
    signal,
  );
  return rows.map((row) => ({
    schema: String(row["schema_name"]),
    name: String(row["name"]),
    comment: typeof row["comment"] === "string" ? row["comment"] : null,
    isView: row["is_view"] === true,
    estimatedRows: row["size"] === null ? null : Number(row["size"]),
  }));
}

async function primaryKeys(
  source: Source,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await source.rows(
    `SELECT schema_name, table_name, unnest(constraint_column_names) AS column_name
       FROM duckdb_constraints()
      WHERE database_name = ${quoteLiteral(source.name)} AND constraint_type = 'PRIMARY KEY'`,
    signal,
  );
  const keys = new Map<string, string[]>();
  for (const row of rows) {
    const name = nameOf({ schema: String(row["schema_name"]), name: String(row["table_name"]) });
    keys.set(name, [...(keys.get(name) ?? []), String(row["column_name"])]);
  }
  return keys;
}

async function describe(
  source: Source,
  one: Listed,
  primaryKey: readonly string[],
  signal: AbortSignal,
): Promise<TableInfo> {
  const remotePath = [one.schema, one.name];
  const from = [source.name, ...remotePath].map((name) => quoteIdentifier(name)).join(".");
  try {
    const { schema, batches } = await source.query(`SELECT * FROM ${from} LIMIT 0`, { signal });
    for await (const _ of batches);
    return tableInfo(nameOf(one), schema, {
      primaryKey,
      remotePath,
      ...(one.comment === null ? {} : { description: one.comment }),
      ...(one.estimatedRows === null ? {} : { estimatedRows: one.estimatedRows }),
    });
  } catch (error) {
    // For example a view over a dropped table. The other tables are still read.
    if (!one.isView || !(error instanceof AgnesError) || error.code !== "duckdb_failed") throw error;
    return tableInfo(nameOf(one), {}, { remotePath, problem: viewProblem(nameOf(one), error) });
  }
}

function viewProblem(view: string, error: AgnesError): AgnesError {
  const { reason } = error.details as { readonly reason?: unknown };
  // After an empty line, DuckDB lists candidates for the statement, which the user did not write.
  const [cause] = (typeof reason === "string" ? reason : error.message).split(/\n\s*\n|\nLINE /);
  const advice = "Correct the view in the database, or exclude it with the option `include`.";
  return new AgnesError(
    "file_unreadable",
    { path: view, reason: cause!.replaceAll("\n", " "), advice },
    { cause: error },
  );
}

function nameOf({ schema, name }: Pick<Listed, "schema" | "name">): string {
  return schema === "main" ? name : `${schema}.${name}`;
}

function isOffered(one: Listed, { schemas, include }: DuckDBOptions): boolean {
  return isInSchemas(one, schemas) && (include === undefined || holds(include, nameOf(one)));
}

function isInSchemas({ schema }: Listed, schemas: DuckDBOptions["schemas"]): boolean {
  return schemas === undefined || holds(schemas, schema);
}

/** Returns whether a list contains a name. DuckDB ignores the case of names. */
function holds(names: readonly string[], wanted: string): boolean {
  return names.some((name) => name.toLowerCase() === wanted.toLowerCase());
}

/** Returns each missing schema of the options as a table with a problem. The other schemas are still read. */
async function missingSchemas(
  source: Source,
  { schemas = [] }: DuckDBOptions,
  signal: AbortSignal,
): Promise<readonly TableInfo[]> {
  if (schemas.length === 0) return [];
  const rows = await source.rows(
    `SELECT schema_name AS name FROM duckdb_schemas()
      WHERE database_name = ${quoteLiteral(source.name)} AND schema_name NOT IN ('information_schema', 'pg_catalog')
      ORDER BY name`,
    signal,
  );
  const known = rows.map(({ name }) => String(name));
  const missing = [...new Set(schemas)].filter((name) => !holds(known, name));
  const problems = missing.map((schema) => ({
    name: `${schema}.*`,
    problem: errors.schema_missing({ schema, option: "schemas", known }),
  }));
  if (problems.length === new Set(schemas).size) throw problems[0]!.problem;
  return problems.map(({ name, problem }) => tableInfo(name, {}, { problem }));
}

/** Returns each missing table of the options as a table with a problem. The other tables are still read. */
function missingTables(
  all: readonly Listed[],
  { include = [], schemas }: DuckDBOptions,
): readonly TableInfo[] {
  const known = all.filter((one) => isInSchemas(one, schemas)).map(nameOf);
  const missing = [...new Set(include)].filter((name) => !holds(known, name));
  return missing.map((name) =>
    tableInfo(
      name,
      {},
      {
        problem: errors.table_missing({ table: name, option: "include", known }),
      },
    ),
  );
}
