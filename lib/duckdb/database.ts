import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";

import native from "@duckdb/node-bindings";

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

/** What a database may use of the machine. */
export interface DuckDBLimits {
  /** Default: DuckDB's own, 80 % of the memory. */
  readonly memoryMb?: number;
  /** Default: the cores. More, two per source, let many slow sources be waited for at once. */
  readonly threads?: number;
  /** How much may be spilled to disk. Default: DuckDB's own, 90 % of what is free. */
  readonly temporaryMb?: number;
  /** Where the private temporary directory is made. Default: the system's. */
  readonly temporaryDirectory?: string;
}

/** How a database is to be opened. */
export interface OpenOptions {
  /** A file. Default: `:memory:`. */
  readonly path?: string;
  /** Default `false`. */
  readonly readOnly?: boolean;
  readonly limits?: DuckDBLimits;
  /** Further DuckDB settings by name. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Opens a DuckDB database: time zone UTC, no extension installed or loaded by itself, none of the community, no
 * secret that was kept on disk, rows in any order unless a query asks for one, spilling into a private directory that `close` removes.
 *
 * @throws `file_unreadable` for a file that is no database, `locked` when another process writes it, `disk_full`
 * @example
 * ```ts
 * await using database = await openDatabase({ limits: { memoryMb: 512 } });
 * await using connection = await database.connect();
 * const rows = await connection.rows("SELECT 42 AS answer"); // [{ answer: 42 }]
 * ```
 */
export async function openDatabase(options: OpenOptions = {}): Promise<Database> {
  const path = options.path ?? ":memory:";
  const { limits = {} } = options;
  const temporary = await mkdtemp(join(limits.temporaryDirectory ?? tmpdir(), "agnes-duckdb-"));
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
    return new Database(database, temporary, limits.threads ?? availableParallelism());
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw duckdbError(error, `OPEN ${path}`);
  }
}

function settingsOf(options: OpenOptions, temporary: string): Record<string, string> {
  const { limits = {}, settings = {}, readOnly = false } = options;
  return {
    access_mode: readOnly ? "READ_ONLY" : "AUTOMATIC",
    allow_community_extensions: "false",
    // Secrets that somebody keeps for their own DuckDB go nowhere.
    allow_persistent_secrets: "false",
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    // Statements that read JavaScript sources run on DuckDB's own threads alone, and take turns there.
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
  readonly #connections = new Set<Connection>();
  readonly #feeds = new Map<number, Feed>();
  readonly #sources = new Map<string, RegisteredSource>();
  readonly #rowSums = new RowSums();
  #nextSource = 1;
  #scanning = false;
  #closing: Promise<void> | null = null;

  constructor(database: native.Database, temporary: string, threads: number) {
    this.#threads = threads;
    this.#native = database;
    this.#temporary = temporary;
  }

  /** A new connection; temporary tables and settings of a session are its own. */
  async connect(): Promise<Connection> {
    const connection = await native.connect(this.#native);
    const opened = new Connection(connection, {
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

  /** Closes all connections, the database and its file, and removes the temporary directory. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Lets SQL read a source until `remove` is called.
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
   * Lets SQL add up a value of each row until `close` is called.
   *
   * @internal use the option `sumOf` of `copyToParquet`
   */
  openRowSum(): OpenRowSum {
    return this.#rowSums.open();
  }

  /**
   * A thread that waits for one source is lost to the others. DuckDB takes it away after fifty answers, so short
   * ones make it go round; a statement that no thread has come to yet is not kept waiting at all.
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
    await rm(this.#temporary, { recursive: true, force: true });
  }
}
