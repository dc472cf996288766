import { resolve } from "node:path";

import { AgnesError, atMost, isAgnesError, type Host } from "../base/mod.ts";
import { analyticsPath, renderSql, type AnalyticsTable } from "../analytics/mod.ts";
import { poolGate, quoteLiteral, type Connection } from "../duckdb/mod.ts";
import type { QueryLimits } from "../kit/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import {
  describeTableIn,
  quotedTable,
  toCatalogEntry,
  type CatalogEntry,
  type TableDescription,
} from "./catalog.ts";
import { planOf } from "./explain.ts";
import { isFatal, queryFailure } from "./failure.ts";
import { guardQuery, type GuardedQuery } from "./guard.ts";
import { withListings } from "./listings.ts";
import { leaseOf, readyOrReleased } from "./lease.ts";
import type { LiveResolver } from "./live/live-table.ts";
import { parseSelect } from "./parse-select.ts";
import { makePivotTypes } from "./pivot.ts";
import { answerOf, type Lease, type QueryAnswer, type Run } from "./run.ts";
import { Sandbox, type QueryServices } from "./sandbox.ts";
import { TableNames } from "./tables.ts";
import { checkTypes, trustedTypeChecks } from "./types.ts";

/** How a session is to be opened. */
export interface SessionOptions {
  readonly dataDirectory: string;
  /** How remote tables are read that cannot be attached. Default: they are unavailable. */
  readonly live?: LiveResolver;
}

/** What a caller may see. */
export interface Access {
  /** Ids or view names of the tables granted; null is all. Default null. */
  readonly granted?: ReadonlySet<string> | null;
}

/** One query. */
export interface QueryRequest extends Access {
  /** One SELECT, a `;` after it is fine. */
  readonly sql: string;
  /** What goes beyond the rows and bytes is cut off, and the receipt says so. Default: 60 seconds, all rows. */
  readonly limits?: QueryLimits;
  /** Any table and function, for SQL the caller wrote itself. Files and settings stay out of reach. Default `false`. */
  readonly trusted?: boolean;
  /** How many rows a batch has at most. Default 16384. */
  readonly batchRows?: number;
  readonly signal?: AbortSignal;
}

/**
 * Answers SQL over what is published. One session serves many queries at once; it sees a new generation with the
 * next query, while those that run go on with theirs. Nothing is opened before it is needed.
 *
 * @example
 * ```ts
 * await using session = openQuerySession(services, { dataDirectory: "data" });
 * const answer = await session.runQuery({ sql: "SELECT count(*) FROM orders", limits: { rows: 1000 } });
 * for await (const batch of answer.batches) console.log(batch.numRows);
 * console.log(answer.receipt());
 * ```
 */
export function openQuerySession(services: QueryServices, options: SessionOptions): QuerySession {
  return new QuerySession(services, options);
}

const CLOSE_GRACE_MS = 500;

/** See `openQuerySession`. */
export class QuerySession implements AsyncDisposable {
  readonly #services: QueryServices;
  readonly #options: SessionOptions;
  readonly #path: string;
  #sandbox: Sandbox | null = null;
  /** Whether the instance may answer nothing any more. */
  #isBroken = false;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(services: QueryServices, options: SessionOptions) {
    this.#services = services;
    this.#options = options;
    this.#path = analyticsPath(options.dataDirectory);
  }

  /**
   * Runs one SELECT, or what describes tables: DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN. The rows come as they are
   * read.
   *
   * @throws `sql_malformed`, `sql_not_allowed`, `sql_too_long`, `table_unknown` with the nearest names, `sql_failed`,
   * `query_lost` when another query made DuckDB fail, `duckdb_stuck`, `timed_out`, `aborted`, `remote_unavailable`, `analytics_unreadable`, `file_unreadable`, `duckdb_out_of_memory`,
   * `disk_full`; while rows are read as well
   */
  async runQuery(request: QueryRequest): Promise<QueryAnswer> {
    const failure = this.#failureFor(request, request.sql);
    const answer = () =>
      answerOf(this.#services.host, { ...request, failure }, (signal) => this.#prepare(request, signal));
    try {
      return await answer();
    } catch (error) {
      // The failure of another query came between; there is a new instance now.
      if (!isAgnesError(error, "query_lost")) throw error;
      return answer();
    }
  }

  /** The tables there are, by view name. @throws `analytics_unreadable` */
  async catalog(access: Access = {}): Promise<readonly CatalogEntry[]> {
    return this.#exclusive(async () => {
      const sandbox = await this.#withAnalytics();
      return this.#names(sandbox, access)
        .tables.map(toCatalogEntry)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  /** The columns of a table, named as in SQL. @throws `table_unknown`, and what `runQuery` throws */
  async describeTable(name: string, access: Access = {}): Promise<TableDescription> {
    const { connection, release, secrets, showLive, tables } = await this.#lease(
      (names) => [names.find(name)],
      access,
    );
    try {
      const [table] = tables;
      await showLive({ sql: null, schemaOnly: true, rowsMax: 0, signal: new AbortController().signal });
      return await describeTableIn(
        connection,
        table!,
        dataPaths.extract(this.#options.dataDirectory, table!.source),
      );
    } catch (error) {
      throw this.#failureFor(access)(error, secrets);
    } finally {
      await release();
    }
  }

  /** The first rows of a table, or random ones. @throws `table_unknown`, and what `runQuery` throws */
  async sampleTable(
    name: string,
    rows: number,
    options: Access & Pick<QueryRequest, "signal" | "limits"> & { readonly random?: boolean } = {},
  ): Promise<QueryAnswer> {
    if (!Number.isInteger(rows) || rows < 0) {
      throw new AgnesError("invalid_input", {
        what: "the number of rows",
        reason: `${rows} is not a whole number`,
      });
    }
    const prepare = async (signal: AbortSignal) => {
      const lease = await this.#lease((names) => [names.find(name)], options);
      const from = quotedTable(lease.tables[0]!);
      const sql =
        options.random === true
          ? `SELECT * FROM ${from} USING SAMPLE reservoir(${rows} ROWS)`
          : `SELECT * FROM ${from} LIMIT ${rows}`;
      return readyOrReleased(lease, async () => {
        await lease.showLive({ sql, rowsMax: rows, signal });
        return { ...lease, sql };
      });
    };
    return answerOf(this.#services.host, { ...options, failure: this.#failureFor(options) }, prepare);
  }

  /** Stops what runs and closes. What DuckDB does not let be stopped is left to itself after half a second. */
  async close(): Promise<void> {
    this.#closed = true;
    const closing = async () => {
      await this.#last.catch(() => {});
      await this.#sandbox?.close();
      this.#sandbox = null;
    };
    await atMost(closing(), CLOSE_GRACE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #prepare(request: QueryRequest, signal: AbortSignal): Promise<Run> {
    const { sql } = request;
    const isTrusted = request.trusted === true;
    const query = await this.#parse(async (connection) =>
      isTrusted ? trustedQuery(connection, sql) : guardQuery(connection, sql),
    );
    const { tables } = query;
    let granted: readonly AnalyticsTable[] = [];
    const choose = (names: TableNames) => {
      granted = names.tables;
      return isTrusted ? names.resolveKnown(tables) : names.resolve(tables);
    };
    const lease = await (tables.length === 0 && !isTrusted && !query.hasListings
      ? this.#leaseBare()
      : this.#lease(choose, request));
    return readyOrReleased(lease, async () => {
      const { hasListings, isExplained, pivots } = query;
      await lease.showLive({
        sql: pivots.length === 0 && !hasListings && !isExplained ? query.sql : null,
        schemaOnly: isExplained && pivots.length === 0,
        rowsMax: (request.limits?.rows ?? Infinity) + 1,
        signal,
      });
      const isRestricted = (request.granted ?? null) !== null;
      return { ...lease, sql: await this.#finish(lease, query, { granted, isRestricted, signal }) };
    });
  }

  /** The SQL to run, with everything in it that only the tables and their data tell. */
  async #finish(
    lease: Lease,
    { sql, tree, pivots, bounds, hasListings, isExplained, typeChecks }: GuardedQuery,
    scope: {
      readonly granted: readonly AnalyticsTable[];
      readonly isRestricted: boolean;
      readonly signal: AbortSignal;
    },
  ): Promise<string> {
    const { connection, tables } = lease;
    const { signal } = scope;
    for (const bound of bounds) await connection.run(bound);
    const list = (part: unknown) => withListings(connection, part, scope.granted);
    const whole = hasListings ? await renderSql(connection, await list(tree)) : sql;
    await makePivotTypes(connection, pivots, whole, { signal, rewritten: hasListings ? list : null });
    const checked = await checkTypes(lease, whole, typeChecks);
    if (!isExplained) return checked;
    // The view of a foreign extract can name what is not granted.
    const hasDetails =
      !scope.isRestricted || tables.every(({ way, generation }) => way === "file" && generation !== null);
    const plan = await planOf(connection, checked, { hasDetails, signal });
    return `SELECT 'physical_plan' AS explain_key, ${quoteLiteral(plan)} AS explain_value`;
  }

  /** What a caller is to see of an error; one that spoils the instance is noted. */
  #failureFor(
    { granted = null }: Access,
    typed?: string,
  ): (error: unknown, secrets?: Iterable<string>) => unknown {
    const scope = {
      dataDirectory: resolve(this.#options.dataDirectory),
      home: this.#services.host.env["HOME"] ?? null,
      isRestricted: granted !== null,
    };
    return (error, secrets = []) => {
      const seen = queryFailure(error, { ...scope, secrets, typed });
      if (isFatal(error) || isFatal(seen)) this.#isBroken = true;
      return seen;
    };
  }

  /** Parsing needs any instance, and none of what is in it. */
  async #parse<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const sandbox = await this.#exclusive(() => this.#any());
    const connection = await sandbox.connect();
    try {
      return await work(connection);
    } finally {
      await sandbox.release(connection);
    }
  }

  /** A locked instance, for a query that reads no table. */
  async #leaseBare(): Promise<Lease> {
    return this.#exclusive(async () => {
      const sandbox = await this.#any();
      await sandbox.lock();
      return leaseOf(sandbox, [], this.#names(sandbox, {}));
    });
  }

  /** A locked instance that has what the chosen tables need. */
  async #lease(choose: (names: TableNames) => readonly AnalyticsTable[], access: Access): Promise<Lease> {
    return this.#exclusive(async () => {
      let sandbox = await this.#withAnalytics();
      const names = this.#names(sandbox, access);
      const tables = choose(names);
      if (sandbox.locked && !sandbox.serves(tables)) {
        const before = sandbox.openedIds();
        await this.#renew();
        sandbox = await this.#withAnalytics();
        await sandbox.reopen(before);
      }
      await sandbox.openTables(tables);
      await sandbox.lock();
      return leaseOf(sandbox, tables, names);
    });
  }

  #names(sandbox: Sandbox, { granted = null }: Access): TableNames {
    return new TableNames(sandbox.state?.tables ?? [], granted);
  }

  /** The instance that shows the published generation; without one, an instance with no tables. */
  async #withAnalytics(): Promise<Sandbox> {
    const fingerprint = await fingerprintOf(this.#services.host, this.#path);
    const current = await this.#any();
    if (current.fingerprint === fingerprint) return current;
    const sandbox = current.locked || current.fingerprint !== null ? await this.#renew() : current;
    if (fingerprint === null) return sandbox;
    try {
      await sandbox.attachAnalytics(this.#path, fingerprint);
      return sandbox;
    } catch (error) {
      await this.#renew();
      throw error;
    }
  }

  async #any(): Promise<Sandbox> {
    if (this.#isBroken) {
      this.#isBroken = false;
      await this.#discard();
    }
    return (this.#sandbox ??= await Sandbox.open(this.#services, this.#options.live ?? null));
  }

  /** A fresh instance; the one before closes with its last query. */
  async #renew(): Promise<Sandbox> {
    await this.#discard();
    return this.#any();
  }

  async #discard(): Promise<void> {
    const before = this.#sandbox;
    this.#sandbox = null;
    await before?.retire();
  }

  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    poolGate.refuseWhenStuck("the query");
    const before = this.#last;
    const mine = (async () => {
      await before.catch(() => {});
      if (this.#closed)
        throw new AgnesError("aborted", { what: "the query: the session was closed, and it" });
      return work();
    })();
    this.#last = mine;
    return mine;
  }
}

/** SQL of a caller who may call any function and read any table that the instance has. */
async function trustedQuery(connection: Connection, sql: string): Promise<GuardedQuery> {
  const { facts, ...parsed } = await parseSelect(connection, sql);
  return {
    ...parsed,
    tables: facts.tables,
    hasListings: false,
    bounds: [],
    typeChecks: trustedTypeChecks(facts),
  };
}

/** Changes when the file is replaced; null when there is none. */
async function fingerprintOf({ files }: Host, path: string): Promise<string | null> {
  const stat = await files.stat(path);
  return stat === null ? null : `${stat.sizeBytes} ${stat.modifiedAtMs}`;
}
