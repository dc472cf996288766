import { resolve } from "node:path";

import { AgnesError, isAgnesError, withTimeout } from "../base/mod.ts";
import { analyticsPath, type AnalyticsTable } from "../analytics/mod.ts";
import { renderSql } from "../sql/mod.ts";
import { quoteLiteral, type Connection } from "../duckdb/mod.ts";
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
import { Instances, type Choice } from "./instances.ts";
import { readyOrReleased } from "./lease.ts";
import type { LiveResolver } from "../sources/mod.ts";
import type { Opening } from "./opening.ts";
import { parseSelect } from "./parse-select.ts";
import { makePivotTypes } from "./pivot.ts";
import { answerOf, TIMEOUT_MS, type Lease, type QueryResult, type Run } from "./run.ts";
import type { QueryServices } from "./sandbox.ts";
import type { TableNames } from "./tables.ts";
import { checkTypes, trustedTypeChecks } from "./types.ts";

/** How a session is to be opened. */
export interface SessionOptions {
  readonly dataDirectory: string;
  /** How remote tables are read that cannot be attached. Default: they are unavailable. */
  readonly live?: LiveResolver;
  /** How long attaching one remote database may take, in milliseconds. Default: 10 seconds. */
  readonly attachTimeoutMs?: number;
}

/** The tables a caller may access. */
export interface AccessOptions {
  /**
   * The tables the caller may access, by id or view name, in any case; null: all. Other tables do not exist for the
   * caller. Default: null.
   */
  readonly access?: ReadonlySet<string> | null;
}

/** One query. */
export interface QueryRequest extends AccessOptions {
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
 * const answer = await session.runQuery({ sql: "SELECT count(*) FROM orders", limits: { maxRows: 1000 } });
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
  readonly #instances: Instances;

  constructor(services: QueryServices, options: SessionOptions) {
    this.#services = services;
    this.#options = options;
    const path = analyticsPath(options.dataDirectory);
    this.#instances = new Instances(services, path, options.live ?? null, options.attachTimeoutMs);
  }

  /**
   * Runs one SELECT, or what describes tables: DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN. The rows come as they are
   * read.
   *
   * @throws `sql_malformed`, `sql_not_allowed`, `sql_too_long`, `table_unknown` with the nearest names, `extract_changed`, `sql_failed`,
   * `query_lost` when another query made DuckDB fail, `duckdb_stuck`, `timed_out`, `aborted`, `remote_unavailable`, `analytics_unreadable`, `file_unreadable`, `duckdb_out_of_memory`,
   * `disk_full`; while rows are read as well
   */
  async runQuery(request: QueryRequest): Promise<QueryResult> {
    const failure = this.#failureFor(request, request.sql);
    const answer = () =>
      answerOf(this.#services.host, { ...request, failure }, (opening) => this.#prepare(request, opening));
    try {
      return await answer();
    } catch (error) {
      // The failure of another query came between; there is a new instance now.
      if (!isAgnesError(error, "query_lost")) throw error;
      return answer();
    }
  }

  /** The tables there are, by view name. @throws `analytics_unreadable` */
  async catalog(options: AccessOptions = {}): Promise<readonly CatalogEntry[]> {
    const { tables } = await this.#instances.names(options.access ?? null);
    return tables.map(toCatalogEntry).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The columns of a table, named as in SQL. @throws `table_unknown`, and what `runQuery` throws */
  async describeTable(
    name: string,
    options: AccessOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<TableDescription> {
    using timer = withTimeout(`describing the table ${name}`, TIMEOUT_MS, options.signal);
    const { signal } = timer;
    const leasing = this.#instances.lease((names) => [names.find(name)], options.access ?? null, {
      signal,
      onWait: () => {},
    });
    const { connection, release, secrets, showLive, tables } = await leasing;
    try {
      const [table] = tables;
      await showLive({ sql: null, schemaOnly: true, rowsMax: 0, signal });
      return await describeTableIn(
        this.#services.host.files,
        connection,
        table!,
        dataPaths.extract(this.#options.dataDirectory, table!.source),
      );
    } catch (error) {
      throw this.#failureFor(options)(error, secrets);
    } finally {
      await release();
    }
  }

  /** The first rows of a table, or random ones. @throws `table_unknown`, and what `runQuery` throws */
  async sampleTable(
    name: string,
    rows: number,
    options: AccessOptions & Pick<QueryRequest, "signal" | "limits"> & { readonly random?: boolean } = {},
  ): Promise<QueryResult> {
    if (!Number.isInteger(rows) || rows < 0) {
      throw new AgnesError("invalid_input", {
        what: "the number of rows",
        reason: `${rows} is not a whole number`,
      });
    }
    const prepare = async (opening: Opening) => {
      const choose: Choice = (names) => [names.find(name)];
      const lease = await this.#instances.lease(choose, options.access ?? null, opening);
      const from = quotedTable(lease.tables[0]!);
      const sql =
        options.random === true
          ? `SELECT * FROM ${from} USING SAMPLE reservoir(${rows} ROWS)`
          : `SELECT * FROM ${from} LIMIT ${rows}`;
      return readyOrReleased(lease, async () => {
        await lease.showLive({ sql, rowsMax: rows, signal: opening.signal });
        return { ...lease, sql };
      });
    };
    return answerOf(this.#services.host, { ...options, failure: this.#failureFor(options) }, prepare);
  }

  /** Stops what runs and closes. What DuckDB does not let be stopped is left to itself after half a second. */
  async close(): Promise<void> {
    await this.#instances.close(CLOSE_GRACE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #prepare(request: QueryRequest, opening: Opening): Promise<Run> {
    const { signal } = opening;
    const { sql } = request;
    const isTrusted = request.trusted === true;
    const query = await this.#instances.parse(
      async (connection) => (isTrusted ? trustedQuery(connection, sql) : guardQuery(connection, sql)),
      signal,
    );
    const { tables } = query;
    let granted: readonly AnalyticsTable[] = [];
    const choose = (names: TableNames) => {
      granted = names.tables;
      return isTrusted ? names.resolveKnown(tables) : names.resolve(tables);
    };
    const lease = await (tables.length === 0 && !isTrusted && !query.hasListings
      ? this.#instances.leaseBare(signal)
      : this.#instances.lease(choose, request.access ?? null, opening));
    return readyOrReleased(lease, async () => {
      const { isExplained, pivots } = query;
      if (isExplained && pivots.length > 0) refuseLivePivot(lease);
      await lease.showLive({
        sql: pivots.length === 0 && !isExplained ? query.sql : null,
        schemaOnly: isExplained,
        rowsMax: (request.limits?.maxRows ?? Infinity) + 1,
        signal,
      });
      const isRestricted = (request.access ?? null) !== null;
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
      !scope.isRestricted ||
      tables.every(({ accessMode, generation }) => accessMode === "file" && generation !== null);
    const plan = await planOf(connection, checked, { hasDetails, signal });
    return `SELECT 'physical_plan' AS explain_key, ${quoteLiteral(plan)} AS explain_value`;
  }

  /** What a caller is to see of an error; one that spoils the instance is noted. */
  #failureFor(
    { access = null }: AccessOptions,
    typed?: string,
  ): (error: unknown, secrets?: Iterable<string>) => unknown {
    const scope = {
      dataDirectory: resolve(this.#options.dataDirectory),
      home: this.#services.host.env["HOME"] ?? null,
      isRestricted: access !== null,
    };
    return (error, secrets = []) => {
      const seen = queryFailure(error, { ...scope, secrets, typed });
      if (isFatal(error) || isFatal(seen)) this.#instances.renewNext();
      return seen;
    };
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

/**
 * The columns of a PIVOT without values are values of its rows, and EXPLAIN reads no row of another system.
 * @throws `sql_not_allowed`
 */
function refuseLivePivot({ remotes }: Lease): void {
  const live = remotes().find(({ accessMode }) => accessMode === "live");
  if (live === undefined) return;
  throw new AgnesError("sql_not_allowed", {
    reason: `EXPLAIN cannot read the live table ${live.id}, whose values are the columns of its PIVOT`,
    advice: "List the values: PIVOT table ON column IN ('a', 'b').",
  });
}
