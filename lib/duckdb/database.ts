import { availableParallelism } from "node:os";

import native from "@duckdb/node-bindings";

import { nodeFiles, type Files } from "../base/mod.ts";
import { Connection, type SourceHolder } from "./connection.ts";
import { duckdbError } from "./errors.ts";
import { RowSums, type OpenRowSum } from "./row-sum.ts";
import { quoteLiteral } from "./sql.ts";
import { Feed } from "./stream/feed.ts";
import type { StreamSource } from "./stream/scan.ts";
import {
  plannedRelationOf,
  prepareSource,
  registerScanFunction,
  relationOf,
  type RegisteredSource,
} from "./stream/table-function.ts";
import { keepWholeTexts } from "./whole-texts.ts";

/** Resource limits of a database. */
export interface DuckDBLimits {
  /** Maximum memory. Default: DuckDB's default, 80 % of the memory. */
  readonly memoryMb?: number;
  /** Number of threads. Default: the number of cores. Use two per source to wait for many slow sources in parallel. */
  readonly threads?: number;
  /** Maximum size of spilled data on disk. Default: DuckDB's default, 90 % of the free space. */
  readonly temporaryMb?: number;
  /** The parent of the private temporary directory. Default: the temporary directory of the system. */
  readonly temporaryDirectory?: string;
}

/** Options for opening a database. */
export interface OpenOptions {
  /** The database file. Default: `:memory:`. */
  readonly path?: string;
  /** Default: `false`. */
  readonly readOnly?: boolean;
  readonly limits?: DuckDBLimits;
  /** The file system of the temporary directory and of the files that Agnes reads itself. Default: the real one. */
  readonly files?: Files;
  /** Further DuckDB settings by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Opens a DuckDB database with time zone UTC, without automatic installation or loading of extensions, without community
 * extensions and persistent secrets. Rows are unordered unless a query has ORDER BY. Data is spilled to a private
 * directory, which `close` removes.
 *
 * @throws `file_unreadable` for a file that is not a database, `locked` if another process writes to it, `disk_full`,
 *   `file_failed` if the temporary directory cannot be created
 * @example
 * ```ts
 * await using database = await openDatabase({ limits: { memoryMb: 512 } });
 * await using connection = await database.connect();
 * const rows = await connection.rows("SELECT 42 AS answer"); // [{ answer: 42 }]
 * ```
 */
export async function openDatabase(options: OpenOptions = {}): Promise<Database> {
  keepWholeTexts();
  const path = options.path ?? ":memory:";
  const { files = nodeFiles(), limits = {} } = options;
  const { temporaryDirectory: parent } = limits;
  const temporary = await files.makeTemporaryDirectory(
    "agnes-duckdb-",
    parent === undefined ? {} : { parent },
  );
  try {
    const config = native.create_config();
    for (const [name, value] of Object.entries(settingsOf(options, temporary))) {
      native.set_config(config, name, value);
    }
    const database = await native.open(path, config);
    const connection = await native.connect(database);
    try {
      await native.query(connection, `SET GLOBAL TimeZone = ${quoteLiteral("UTC")}`);
    } finally {
      native.disconnect_sync(connection);
    }
    return new Database(database, { files, temporary, threads: limits.threads ?? availableParallelism() });
  } catch (error) {
    await files.removeDirectory(temporary).catch(() => {});
    throw duckdbError(error, `OPEN ${path}`);
  }
}

function settingsOf(options: OpenOptions, temporary: string): Record<string, string> {
  const { limits = {}, settings = {}, readOnly = false } = options;
  return {
    access_mode: readOnly ? "READ_ONLY" : "AUTOMATIC",
    allow_community_extensions: "false",
    // The persistent secrets of the user are not sent to any server.
    allow_persistent_secrets: "false",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Statements that read JavaScript sources run only on DuckDB's own threads, and share them fairly.
    external_threads: "0",
    scheduler_process_partial: "true",
    preserve_insertion_order: "false",
    temp_directory: temporary,
    ...(limits.memoryMb === undefined ? {} : { memory_limit: `${limits.memoryMb}MB` }),
    ...(limits.threads === undefined ? {} : { threads: String(limits.threads) }),
    ...(limits.temporaryMb === undefined ? {} : { max_temp_directory_size: `${limits.temporaryMb}MB` }),
    ...settings,
  };
}

const IDLE_MS_MAX = 20;

/** An open DuckDB database; see `openDatabase`. */
export class Database implements AsyncDisposable, SourceHolder {
  readonly #native: native.Database;
  readonly #temporary: string;
  readonly #threads: number;
  /** See `OpenOptions.files`. */
  readonly files: Files;
  readonly #connections = new Set<Connection>();
  readonly #feeds = new Map<number, Feed>();
  readonly #sources = new Map<string, RegisteredSource>();
  readonly #rowSums = new RowSums();
  #nextSource = 1;
  #scanning = false;
  #closing: Promise<void> | null = null;

  constructor(
    database: native.Database,
    options: { readonly files: Files; readonly temporary: string; readonly threads: number },
  ) {
    this.#native = database;
    this.#temporary = options.temporary;
    this.#threads = options.threads;
    this.files = options.files;
  }

  /** Opens a connection. Each has its own temporary tables and session settings. */
  async connect(): Promise<Connection> {
    const connection = await native.connect(this.#native);
    const opened = new Connection(connection, {
      files: this.files,
      feeds: this.#feeds,
      closed: (closed) => void this.#connections.delete(closed),
      addSource: (source, threads) => this.addSource(source, threads),
    });
    this.#connections.add(opened);
    if (!this.#scanning) {
      this.#scanning = true;
      registerScanFunction(connection, {
        sources: this.#sources,
        feedOf: (id) => this.#feedOf(id),
        idleMsMax: () => this.#idleMsMax(),
      });
      this.#rowSums.register(connection);
    }
    return opened;
  }

  /** Closes all connections and the database, and removes the temporary directory. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Registers a source that SQL can read until `remove` is called.
   *
   * @throws `type_unsupported`
   * @internal use `openStream`
   */
  addSource(source: StreamSource, threads: number): ReturnType<SourceHolder["addSource"]> {
    const registered = prepareSource(source, threads);
    const id = String(this.#nextSource++);
    this.#sources.set(id, registered);
    return {
      relation: relationOf(id, registered),
      plannedRelation: plannedRelationOf(id, registered),
      remove: () => void this.#sources.delete(id),
    };
  }

  /**
   * Opens a sum that SQL can add to until `close` is called.
   *
   * @internal use the option `sumOf` of `copyToParquet`
   */
  openRowSum(): OpenRowSum {
    return this.#rowSums.open();
  }

  /**
   * The maximum time that a thread waits for a source. A waiting thread is unavailable to other statements, and DuckDB
   * reassigns it after fifty calls, so short waits distribute the threads. If a statement has no thread yet, threads do
   * not wait at all.
   */
  #idleMsMax(): number {
    const running = [...this.#feeds.values()].filter((feed) => feed.running);
    if (running.some((feed) => feed.unopened)) return -1;
    const enough = running.length <= 1 || running.length * 2 <= this.#threads;
    return enough ? IDLE_MS_MAX : 1;
  }

  #feedOf(connectionId: number): Feed {
    const feed = this.#feeds.get(connectionId) ?? new Feed();
    this.#feeds.set(connectionId, feed);
    return feed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close()));
    native.close_sync(this.#native);
    // DuckDB has removed its files; a failure would hide the error of what used the database.
    await this.files.removeDirectory(this.#temporary).catch(() => {});
  }
}
