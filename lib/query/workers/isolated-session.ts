import { AgnesError } from "../../base/mod.ts";
import type { ResultFormat } from "../../duckdb/mod.ts";
import type { QueryLimits } from "../../kit/mod.ts";
import type { CatalogEntry, TableDescription } from "../catalog.ts";
import type {
  AccessOptions,
  EncodedRequest,
  EncodedResult,
  Queries,
  QueryRequest,
  WorkerCounts,
} from "../queries.ts";
import { readOnce } from "../read-once.ts";
import { TIMEOUT_MS, type QueryResult, type Receipt } from "../run.ts";
import { checkLength } from "../size.ts";
import type { QueryServices } from "../sandbox.ts";
import { accessOf, QuerySession } from "../session.ts";
import { decodeBatches, decodeSchema } from "./batches.ts";
import { Job } from "./job.ts";
import { WorkerPool } from "./pool.ts";
import type { ResultHead, Task } from "./protocol.ts";
import type { BufferSpace } from "./result-buffer.ts";
import type { WorkerSettings } from "./settings.ts";
import { WorkerFolders } from "./worker-folders.ts";

/** The options of a task besides the task itself. */
interface TaskOptions extends AccessOptions {
  readonly limits?: QueryLimits;
  readonly signal?: AbortSignal;
}

/**
 * Runs queries in worker processes, with the results of a `QuerySession`. Queries of sources and remote tables are
 * rejected: the workers have no secrets and no connectors.
 */
export class IsolatedSession implements Queries {
  /** Lists the tables from `analytics.duckdb` alone; it opens no extract and runs no SQL of a caller. */
  readonly #catalog: QuerySession;
  readonly #pool: WorkerPool;
  readonly #space: BufferSpace;

  constructor(
    services: QueryServices,
    options: { readonly dataDirectory: string; readonly settings: WorkerSettings },
  ) {
    const { host, log } = services;
    const { dataDirectory, settings } = options;
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

  /** As `QuerySession.runQuery`. @throws also `query_not_isolated`, `queries_waiting`, `query_memory_exceeded`, `worker_lost`, `rows_not_read` */
  async runQuery(request: QueryRequest): Promise<QueryResult> {
    return this.#result(queryTask(request), request);
  }

  async encodeQuery({ format, ...request }: EncodedRequest): Promise<EncodedResult> {
    const { job, head } = await this.#begin(queryTask(request), request, format);
    return { bytes: rowsOf(job, job.pieces()), receipt: () => receiptOf(job, head), close: closing(job) };
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

  async #begin(task: Task, options: TaskOptions, format: ResultFormat | null) {
    const job = this.#submit(task, options, format);
    return { job, head: (await job.started) as ResultHead };
  }

  #submit(task: Task, options: TaskOptions, format: ResultFormat | null): Job {
    const access = accessOf(options);
    const { maxRows, maxBytes, timeoutMs = TIMEOUT_MS } = options.limits ?? {};
    const limits = {
      ...(maxRows !== undefined && { maxRows: finite(maxRows) }),
      ...(maxBytes !== undefined && { maxBytes: finite(maxBytes) }),
    };
    const job = new Job(
      { task, access: access === null ? null : [...access], limits, format },
      { principal: options.principal ?? null, timeoutMs, signal: options.signal, space: this.#space },
    );
    try {
      this.#pool.submit(job);
    } catch (error) {
      job.fail(error);
    }
    return job;
  }
}

/** @throws `query_not_isolated` for queries of sources, `sql_too_long` */
function queryTask({ sql, register = {}, trusted = false, batchRows }: QueryRequest): Task {
  if (Object.keys(register).length > 0)
    throw new AgnesError("query_not_isolated", { what: "the option `register`" });
  // A worker ends when a message is too long for a frame.
  checkLength(sql);
  return { kind: "query", sql, trusted, batchRows: batchRows ?? null };
}

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
