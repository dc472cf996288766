import { join } from "node:path";

import type { Files } from "../../base/mod.ts";
import {
  openDatabase,
  quoteIdentifier,
  quoteLiteral,
  restrictTo,
  type Connection,
  type Database,
  type DuckDBLimits,
} from "../../duckdb/mod.ts";
import { EXTRACT_FILE } from "../../extract/format/mod.ts";
import { databaseNames } from "../model.ts";

/** The thread that calls DuckDB: to read the catalog of a file, more threads only wait for each other. */
const ONE_THREAD = { external_threads: "1", threads: "1" };

/**
 * Opens an extract in a separate DuckDB instance that can only read the extract's folder, so that its content can
 * neither access other data nor affect other extracts.
 *
 * @throws `file_unreadable`, `duckdb_failed`
 */
export async function openExtract(
  {
    files,
    limits,
    source,
    signal,
  }: {
    readonly files: Files;
    readonly limits: DuckDBLimits;
    readonly source: string;
    readonly signal: AbortSignal;
  },
  directory: string,
): Promise<{ readonly connection: Connection } & AsyncDisposable> {
  const database = await openDatabase({ files, limits, settings: { ...LOCKED, ...ONE_THREAD } });
  try {
    const connection = await database.connect();
    await connection.run(restrictTo({ directories: [directory] }), { signal });
    const path = quoteLiteral(join(directory, EXTRACT_FILE));
    const catalog = quoteIdentifier(databaseNames.extract(source));
    await connection.run(`ATTACH ${path} AS ${catalog} (READ_ONLY)`, { signal });
    return { connection, [Symbol.asyncDispose]: () => database.close() };
  } catch (error) {
    await closeQuietly(database);
    throw error;
  }
}

/** The same limit as for queries, because deeper expressions could not be queried. */
const LOCKED = { max_expression_depth: "250" };

async function closeQuietly(database: Database): Promise<void> {
  await database.close().catch(() => {});
}
