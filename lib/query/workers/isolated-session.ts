import { sentError } from "../../base/mod.ts";
import type { ResultFormat, TextOptions } from "../../duckdb/mod.ts";
import type { QueryLimits } from "../../kit/mod.ts";
import type { CatalogEntry, TableDescription } from "../catalog.ts";
import type {
  AccessOptions,
  ConditionRequest,
  EncodedRequest,
  EncodedResult,
  Queries,
  QueryRequest,
  WorkerCounts,
} from "../queries.ts";
import { checkCount } from "../hybrid/check-aliases.ts";
import type { HybridSources } from "../hybrid/mod.ts";
import { literalsOf } from "../params/literals.ts";
import { readOnce } from "../read-once.ts";
import { unknownSource } from "../../sources/mod.ts";
import { TIMEOUT_MS, type QueryResult, type Receipt } from "../run.ts";
import { checkLength } from "../size.ts";
import type { QueryServices } from "../query-services.ts";
import { accessOf, type Access } from "../access.ts";
import { QuerySession, type SessionOptions } from "../session.ts";
import { decodeBatches, decodeSchema } from "./batches.ts";
import { Job } from "./job.ts";
import { WorkerPool } from "./pool.ts";
import type { ResultHead, Task } from "./protocol.ts";
import { sentQueries, type SentPlugin, type SentRegister } from "./remote/messages.ts";
import { RemoteWork } from "./remote/remote-work.ts";
import type { BufferSpace } from "./result-buffer.ts";
import type { WorkerSettings } from "./settings.ts";
import { WorkerFolders } from "./worker-folders.ts";

/** The options of a task besides the task itself. */
interface TaskOptions extends AccessOptions {
  readonly limits?: QueryLimits;
  readonly signal?: AbortSignal;
  readonly register?: QueryRequest["register"];
}

/** The options of an `IsolatedSession`. */
interface IsolatedOptions extends Pick<SessionOptions, "live" | "sources"> {
  readonly dataDirectory: string;
  readonly settings: WorkerSettings;
}

interface Encoding {
  readonly format: ResultFormat;
  readonly text: TextOptions;
}

/**
 * Runs queries in worker processes, with the results of a `QuerySession`. The workers have no secrets and no connectors: this
 * process reads the sources for them.
 */
export class IsolatedSession implements Queries {
  /** Lists the tables from `analytics.duckdb` alone; it opens no extract and runs no SQL of a caller. */
  readonly #catalog: QuerySession;
  readonly #pool: WorkerPool;
  readonly #space: BufferSpace;
  readonly #services: QueryServices;
  readonly #options: IsolatedOptions;
  /** The work in sources that is being stopped. */
  readonly #ending = new Set<Promise<void>>();

  constructor(services: QueryServices, options: IsolatedOptions) {
    const { host, log } = services;
    const { dataDirectory, settings } = options;
    this.#services = services;
    this.#options = options;
    this.#catalog = new QuerySession(services, { dataDirectory });
    const folders = new WorkerFolders(host);
    this.#space = {
      files: host.files,
      newPath: () => folders.newPath(),
      memoryBytes: settings.bufferMb * 1_000_000,
      filesBytes: settings.filesMb * 1_000_000,
      usedBytes: 0,
      stalledMs: settings.stalledMs,
    };
    const home = host.env["HOME"] ?? null;
    const open = { type: "open", dataDirectory, limits: settings.duckdb, home } as const;
    this.#pool = new WorkerPool({ host, log, settings, folders, open });
  }

  /** As `QuerySession.runQuery`. @throws also `queries_waiting`, `query_memory_exceeded`, `worker_lost`, `rows_not_read` */
  async runQuery(request: QueryRequest): Promise<QueryResult> {
    return this.#result(this.#queryTask(request), request);
  }

  async encodeQuery({ format, text = {}, ...request }: EncodedRequest): Promise<EncodedResult> {
    const { job, head } = await this.#begin(this.#queryTask(request), request, { format, text });
    return { bytes: rowsOf(job, job.pieces()), receipt: () => receiptOf(job, head), close: closing(job) };
  }

  async withCondition({ sql, where, columns, qualifiers, ...options }: ConditionRequest): Promise<string> {
    // A worker ends when a message is too long for a frame.
    checkLength(where);
    const job = this.#submit({ kind: "condition", sql, where, columns, qualifiers }, options, null);
    return (await job.started) as string;
  }

  catalog(options: AccessOptions = {}): Promise<readonly CatalogEntry[]> {
    return this.#catalog.catalog(options);
  }

  async describeTable(table: string, options: TaskOptions = {}): Promise<TableDescription> {
    const job = this.#submit({ kind: "describe", table }, options, null);
    return (await job.started) as TableDescription;
  }

  async sampleTable(
    table: string,
    rows: number,
    options: TaskOptions & { readonly random?: boolean } = {},
  ): Promise<QueryResult> {
    return this.#result({ kind: "sample", table, rows, random: options.random === true }, options);
  }

  workers(): WorkerCounts {
    return this.#pool.counts();
  }

  /** Kills all workers. */
  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#catalog.close()]);
    await Promise.all(this.#ending);
  }

  /** @throws `sql_too_long`, `parameters_invalid`, `invalid_input` for more aliases than a query can have */
  #queryTask({ sql, params, register = {}, trusted = false, batchRows }: QueryRequest): Task {
    // A worker ends when a message is too long for a frame.
    checkLength(sql);
    const literals = literalsOf(params);
    return {
      kind: "query",
      sql,
      trusted,
      batchRows: batchRows ?? null,
      literals: literals && [...literals],
      register: Object.keys(register).length === 0 ? null : this.#sentRegister(register),
    };
  }

  #sentRegister(register: NonNullable<QueryRequest["register"]>): SentRegister {
    checkCount(register);
    const plugins: Record<string, SentPlugin> = {};
    for (const { source, sql, keys } of Object.values(register)) {
      for (const text of [sql, keys]) if (typeof text === "string") checkLength(text);
      if (typeof source === "string") plugins[source] = this.#pluginOf(source);
    }
    return { queries: sentQueries(register), plugins };
  }

  #pluginOf(source: string): SentPlugin {
    try {
      const { name, capabilities } = this.#sources.pluginOf(source);
      return { name, capabilities };
    } catch (error) {
      return { error: sentError(error) };
    }
  }

  get #sources(): HybridSources {
    return this.#options.sources ?? NO_SOURCES;
  }

  /** What a query may use of the sources. */
  #remote(task: Task, access: Access, { principal, register = {} }: TaskOptions): RemoteWork {
    return new RemoteWork({
      services: this.#services,
      sources: this.#sources,
      live: this.#options.live ?? (async () => null),
      register: task.kind === "query" ? { ...register } : {},
      user: principal,
      access,
      accessible: async () => {
        const tables = await this.#catalog.catalog({ access });
        return new Set(tables.filter(({ accessMode }) => accessMode === "remote").map(({ id }) => id));
      },
      onEnding: (ending) => {
        const ended = ending.catch(() => {}).finally(() => this.#ending.delete(ended));
        this.#ending.add(ended);
      },
    });
  }

  async #result(task: Task, options: TaskOptions): Promise<QueryResult> {
    const { job, head } = await this.#begin(task, options, null);
    const schema = decodeSchema(head);
    const counts = { rows: 0 };
    const batches = async function* () {
      for await (const batch of decodeBatches(schema, job.pieces())) {
        counts.rows += batch.numRows;
        yield batch;
      }
    };
    return {
      schema,
      names: head.names,
      batches: rowsOf(job, batches()),
      receipt: () => ({ ...receiptOf(job, head), ...(job.receipt === null && counts) }),
      close: closing(job),
    };
  }

  async #begin(task: Task, options: TaskOptions, encoding: Encoding | null) {
    const job = this.#submit(task, options, encoding);
    return { job, head: (await job.started) as ResultHead };
  }

  #submit(task: Task, options: TaskOptions, encoding: Encoding | null): Job {
    const access = accessOf(options);
    const { maxRows, maxBytes, timeoutMs = TIMEOUT_MS } = options.limits ?? {};
    const limits = {
      ...(maxRows !== undefined && { maxRows: finite(maxRows) }),
      ...(maxBytes !== undefined && { maxBytes: finite(maxBytes) }),
    };
    const job = new Job(
      { task, access: access === null ? null : [...access], limits, ...(encoding ?? { format: null }) },
      {
        principal: options.principal ?? null,
        timeoutMs,
        signal: options.signal,
        space: this.#space,
        remote: this.#remote(task, access, options),
      },
    );
    try {
      this.#pool.submit(job);
    } catch (error) {
      job.fail(error);
    }
    return job;
  }
}

/** A session without the connectors of a workspace. */
const NO_SOURCES: HybridSources = {
  pluginOf: (source) => {
    throw unknownSource(source, []);
  },
  open: async (source) => {
    throw unknownSource(source, []);
  },
  tables: async () => [],
};

/** JSON has no infinite numbers. */
function finite(limit: number): number {
  return Math.min(limit, Number.MAX_SAFE_INTEGER);
}

/** Rows that can be read once. A reader that stops, even before the first row, ends the query. */
function rowsOf<T>(job: Job, rows: AsyncGenerator<T, void, void>): AsyncIterable<T> {
  return readOnce({
    [Symbol.asyncIterator]: () => ({
      next: () => rows.next(),
      return: async () => {
        job.close();
        return rows.return();
      },
    }),
  });
}

function receiptOf(job: Job, head: ResultHead): Receipt {
  return job.receipt ?? head.receipt;
}

function closing(job: Job): () => Promise<void> {
  return async () => job.close();
}
