import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openDatabase, quoteIdentifier, quoteLiteral } from "../../lib/duckdb/mod.ts";

/** A table of a handwritten extract, as another program that follows the contract would write it. */
export interface HandTable {
  readonly name: string;
  /** The SELECT of its rows, which are written to one Parquet file with a view. */
  readonly rows?: string;
  /** The object itself, instead: `VIEW … AS …` after CREATE, with `{data}` for the data folder. */
  readonly object?: string;
  readonly mode?: string;
  readonly description?: string;
}

export interface HandExtract {
  readonly tables: readonly HandTable[];
  readonly remote?: {
    readonly alias: string;
    readonly extension: string;
    readonly url: string;
    readonly tokenEnv: string;
  };
  /** Statements before the objects, such as `ATTACH`. */
  readonly before?: string;
  /** `INTEGER` for rows and size, as in the oldest documents. */
  readonly integers?: boolean;
}

/** A data folder that is removed on dispose. */
export async function temporaryData(): Promise<{ readonly data: string } & AsyncDisposable> {
  const data = await mkdtemp(join(tmpdir(), "agnes-analytics-test-"));
  return { data, [Symbol.asyncDispose]: () => rm(data, { recursive: true, force: true }) };
}

/** Writes or replaces `extracts/<source>/extract.duckdb` and its Parquet files. */
export async function writeExtract(data: string, source: string, extract: HandExtract): Promise<string> {
  const directory = join(data, "extracts", source);
  const parts = join(directory, "data");
  await mkdir(parts, { recursive: true });
  const path = join(directory, "extract.duckdb");
  await rm(path, { force: true });
  await using database = await openDatabase({ path });
  await using connection = await database.connect();
  const whole = extract.integers === true ? "INTEGER" : "BIGINT";
  await connection.run(
    `CREATE TABLE _meta (table_name VARCHAR NOT NULL, description VARCHAR, rows ${whole}, size_bytes ${whole},
       extracted_at TIMESTAMP, query_mode VARCHAR DEFAULT 'local')`,
  );
  if (extract.remote !== undefined) {
    const { alias, extension, url, tokenEnv } = extract.remote;
    await connection.run(
      `CREATE TABLE _remote_attach (alias VARCHAR, extension VARCHAR, url VARCHAR, token_env VARCHAR);
       INSERT INTO _remote_attach VALUES (${[alias, extension, url, tokenEnv].map(quoteLiteral).join(", ")})`,
    );
  }
  if (extract.before !== undefined) await connection.run(extract.before);
  for (const table of extract.tables) {
    if (table.rows !== undefined) {
      const file = quoteLiteral(join(parts, `${table.name}.parquet`));
      await connection.run(`COPY (${table.rows}) TO ${file} (FORMAT parquet)`);
      await connection.run(
        `CREATE VIEW ${quoteIdentifier(table.name)} AS SELECT * FROM read_parquet([${file}])`,
      );
    } else if (table.object !== undefined) {
      await connection.run(`CREATE ${table.object.replaceAll("{data}", parts)}`);
    }
    await connection.run(
      `INSERT INTO _meta VALUES (${quoteLiteral(table.name)}, ${quoteLiteral(table.description ?? "")}, 3, 100,
         TIMESTAMP '2026-03-01 10:00:00', ${quoteLiteral(table.mode ?? "local")})`,
    );
  }
  await connection.run("CHECKPOINT");
  return directory;
}

/** Reads `analytics.duckdb` like another DuckDB client. */
export async function readAlone<T>(data: string, sql: string): Promise<readonly T[]> {
  await using database = await openDatabase({
    path: join(data, "analytics", "analytics.duckdb"),
    readOnly: true,
  });
  await using connection = await database.connect();
  return await connection.rows<T>(sql);
}

/**
 * Writes an extract of any content. `{data}` stands for its data folder, `{outside}` for a file beside `extracts`.
 *
 * @param then statements that run after the file was closed once
 */
export async function writeRawExtract(data: string, source: string, sql: string, then = ""): Promise<string> {
  const directory = join(data, "extracts", source);
  await mkdir(join(directory, "data"), { recursive: true });
  const path = join(directory, "extract.duckdb");
  await rm(path, { force: true });
  for (const statements of [sql, then]) {
    if (statements === "") continue;
    await using database = await openDatabase({ path, limits: { threads: 1 } });
    await using connection = await database.connect();
    // Internal databases of a session, so that hostile views can refer to them.
    await connection.run(
      `ATTACH ':memory:' AS "agnes:analytics"; CREATE SCHEMA "agnes:analytics".crm;
       CREATE TABLE "agnes:analytics".crm.orders (secret VARCHAR)`,
    );
    const placed = statements.replaceAll("{data}", join(directory, "data"));
    await connection.run(placed.replaceAll("{outside}", join(data, "outside.txt")));
    await connection.run("CHECKPOINT");
  }
  return directory;
}
