import { AgnesError, type ConnectContext, type SourceQueryOptions } from "agnes/kit";

import { errors } from "./errors.ts";
import type { DuckDBOptions } from "./options.ts";

/** The database file, attached read-only under the name of the source for each query. */
export class Source {
  /** The name of the database in SQL. */
  readonly name: string;
  /** The absolute path of the file. */
  readonly path: string;
  readonly #engine: ConnectContext<DuckDBOptions, Record<never, never>>["duckdb"];

  constructor({ source, options, duckdb, resolvePath }: ConnectContext<DuckDBOptions, Record<never, never>>) {
    this.name = source;
    this.path = resolvePath(options.path);
    this.#engine = duckdb;
  }

  /** Runs the SELECT of a user. @throws `duckdb/query_invalid` */
  async userQuery(
    sql: string,
    options: Pick<SourceQueryOptions, "signal" | "parameters">,
  ): ReturnType<Source["query"]> {
    try {
      return await this.query(sql, options);
    } catch (error) {
      if (!(error instanceof AgnesError) || error.code !== "duckdb_failed") throw error;
      const { kind, reason } = error.details as { readonly kind: string; readonly reason: string };
      if (!STATEMENT_KINDS.has(kind)) throw error;
      throw errors.query_invalid({ source: this.name, reason }, { cause: error });
    }
  }

  /** Runs one SELECT. */
  async query(
    sql: string,
    options: Pick<SourceQueryOptions, "signal" | "parameters"> & { readonly batchRows?: number },
  ): ReturnType<ConnectContext<DuckDBOptions, Record<never, never>>["duckdb"]["query"]> {
    try {
      return await this.#engine.query(sql, { ...options, attach: { [this.name]: this.path } });
    } catch (error) {
      throw this.#fileProblem(error) ?? error;
    }
  }

  /** Returns the rows of a small result as objects. */
  async rows(sql: string, signal: AbortSignal): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const { batches } = await this.query(sql, { signal });
    const rows: Readonly<Record<string, unknown>>[] = [];
    for await (const batch of batches) for (const row of batch) rows.push(row.toJSON());
    return rows;
  }

  /** Returns the error for an unreadable or missing file, with its path; null for other errors. */
  #fileProblem(error: unknown): AgnesError | null {
    if (!(error instanceof AgnesError)) return null;
    if (error.message.includes("database does not exist"))
      return new AgnesError("source_path_empty", { path: this.path }, { cause: error });
    const { operation, reason, holder } = error.details as Partial<Record<string, unknown>>;
    if (error.code === "locked")
      return errors.file_locked({ path: this.path, holder: String(holder) }, { cause: error });
    const isAttach = typeof operation === "string" && /^ATTACH\b/.test(operation);
    if (error.code !== "duckdb_failed" || !isAttach || typeof reason !== "string") return null;
    const [message] = reason.split(/\n\s*\n/);
    const isOtherVersion = /\bversion|serializ/i.test(message!);
    return new AgnesError(
      "file_unreadable",
      {
        path: this.path,
        reason: message!.replaceAll("\n", " "),
        advice: isOtherVersion
          ? OTHER_VERSION
          : "Write the file again, or correct `path` in the options of the source.",
      },
      { cause: error },
    );
  }
}

/** The errors of DuckDB about a statement itself. */
const STATEMENT_KINDS: ReadonlySet<string> = new Set(["Parser Error", "Binder Error", "Catalog Error"]);

const OTHER_VERSION =
  "Copy it to an older storage version with the DuckDB version that wrote it: `ATTACH 'copy.duckdb' AS copy (STORAGE_VERSION 'v1.0.0')`, then `COPY FROM DATABASE name TO copy`.";
