import { resolve } from "node:path";

import { AgnesError, atMost, isAgnesError, withTimeout } from "../base/mod.ts";
import { analyticsPath, type AnalyticsTable } from "../analytics/mod.ts";
import { renderSql } from "../sql/mod.ts";
import { encodeResult, quoteLiteral } from "../duckdb/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import {
  describeTableIn,
  quotedTable,
  toCatalogEntry,
  type CatalogEntry,
  type TableDescription,
} from "./catalog.ts";
import { mayNameDirectly, withoutDirectNames, type Renamed } from "./direct-names.ts";
import { withCondition } from "./condition/with-condition.ts";
import { planOf, shippedPlan } from "./explain.ts";
import { accessOf, type Access } from "./access.ts";
import { bindEmpty } from "./bind-empty.ts";
import { CheckedQueries } from "./checked-queries.ts";
import { readAliases } from "./read-aliases.ts";
import { isFatal, queryFailure } from "./failure.ts";
import { OTHER_DATABASE, type GuardedQuery } from "./guard.ts";
import { withoutViewTexts } from "./limited-failure.ts";
import { isAlias, isNamed, openHybrid, type Hybrid, type HybridSources } from "./hybrid/mod.ts";
import { withListings } from "./listings.ts";
import { Instances, type Choice } from "./instances.ts";
import { literalsOf, type WithLiterals } from "./params/literals.ts";
import { readyOrReleased } from "./lease.ts";
import type { LiveResolver } from "../sources/mod.ts";
import type { OpenedTable } from "./opened-table.ts";
import type { Opening } from "./opening.ts";
import { refuseLivePivot } from "./refuse-live-pivot.ts";
import { makePivotTypes } from "./pivot.ts";
import type {
  AccessOptions,
  ConditionRequest,
  DescribeOptions,
  EncodedRequest,
  EncodedResult,
  QueryRequest,
  SampleOptions,
} from "./queries.ts";
import { mayKeepStatement } from "./recent-queries.ts";
import { startQuery, TIMEOUT_MS, type Lease, type QueryResult, type Replacement, type Run } from "./run.ts";
import type { QueryServices } from "./query-services.ts";
import { checkSize } from "./size.ts";
import type { TableNames } from "./tables.ts";
import { checkTypes } from "./types.ts";

/** The options of a session. */
export interface SessionOptions {
  readonly dataDirectory: string;
  /** Reads remote tables that cannot be attached. Default: such tables are unavailable. */
  readonly live?: LiveResolver;
  /** Runs the queries of `register`. Default: there can be none. */
  readonly sources?: HybridSources;
  /** The timeout for attaching one remote database, in milliseconds. Default: 10 seconds. */
  readonly attachTimeoutMs?: number;
}

/**
 * Opens a session that runs SQL over the published tables. One session runs many queries concurrently. Each query reads
 * the generation that is current when it starts. Databases are opened on first use.
 *
 * @example
 * ```ts
 * await using session = openQuerySession(services, { dataDirectory: "data" });
 * const result = await session.runQuery({ sql: "SELECT count(*) FROM orders", limits: { maxRows: 1000 } });
 * for await (const batch of result.batches) console.log(batch.numRows);
 * console.log(result.receipt());
 * ```
 */
export function openQuerySession(services: QueryServices, options: SessionOptions): QuerySession {
  return new QuerySession(services, options);
}

const CLOSE_GRACE_MS = 500;

/** A session over the published tables; see `openQuerySession`. */
export class QuerySession implements AsyncDisposable {
  readonly #services: QueryServices;
  readonly #options: SessionOptions;
  /** The absolute path of the data directory. */
  readonly #directory: string;
  readonly #instances: Instances;
  readonly #checked: CheckedQueries;
  /** Queries whose sources are being closed. */
  readonly #hybrids = new Set<Promise<unknown>>();
  /** Queries that are releasing their connections. */
  readonly #ending = new Set<Promise<void>>();
  readonly #onEnding = (ending: Promise<void>) => {
    const ended = ending.catch(() => {}).finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  };

  constructor(services: QueryServices, options: SessionOptions) {
    this.#services = services;
    this.#options = options;
    this.#directory = resolve(options.dataDirectory);
    const path = analyticsPath(options.dataDirectory);
    this.#instances = new Instances(services, path, options.live ?? null, options.attachTimeoutMs);
    this.#checked = new CheckedQueries((work, signal) => this.#instances.parse(work, signal));
  }

  /**
   * Runs one SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES or EXPLAIN, and streams its rows.
   *
   * @throws `sql_malformed`, `sql_not_allowed`, `sql_too_long`, `table_unknown` with the nearest names, `table_vanished`, `extract_changed`, `sql_failed`,
   * `query_lost` if another query caused DuckDB to fail, `duckdb_stuck`, `timed_out`, `aborted`, `remote_unavailable`, `analytics_unreadable`, `file_unreadable`, `duckdb_out_of_memory`,
   * `disk_full`; also while rows are read; with `register` also `alias_refused`, `invalid_identifier`, `alias_limit_exceeded`,
   * `alias_access_denied`, `source_unknown`, `capability_missing`, and the errors of the plugin, with the alias in `details`
   */
  async runQuery(request: QueryRequest & WithLiterals): Promise<QueryResult> {
    const access = accessOf(request);
    if (request.trusted === true && access !== null) {
      const reason = "`trusted` allows all tables, so it cannot be combined with `access`";
      throw new AgnesError("invalid_input", { what: "the options of the query", reason });
    }
    const failure = this.#failureFor(access, request.sql);
    const { literals = literalsOf(request.params) } = request;
    const checked = { ...request, literals, access, onEnding: this.#onEnding };
    const run = () =>
      startQuery(this.#services.host, { ...checked, failure }, (opening) => this.#prepare(checked, opening));
    try {
      return await run();
    } catch (error) {
      // Another query caused DuckDB to fail; the retry runs on a new instance. Queries of sources may cost money.
      if (!isAgnesError(error, "query_lost") || request.register !== undefined) throw error;
      return run();
    }
  }

  /** Runs a query and encodes its rows. @throws the errors of `runQuery` */
  async encodeQuery({ format, text = {}, ...request }: EncodedRequest): Promise<EncodedResult> {
    const result = await this.runQuery(request);
    const { host, limits } = this.#services;
    const bytes = encodeResult(result, format, { files: host.files, limits, text });
    return { bytes, receipt: () => result.receipt(), close: () => result.close() };
  }

  /** Returns the SQL with its condition. @throws `validator_rejected` */
  async withCondition(request: ConditionRequest): Promise<string> {
    using timer = withTimeout("checking the condition", TIMEOUT_MS, request.signal);
    try {
      return await this.#instances.parse((connection) => withCondition(connection, request), timer.signal);
    } catch (error) {
      throw this.#failureFor(accessOf(request))(error);
    }
  }

  workers(): null {
    return null;
  }

  /** Returns all tables, sorted by name. @throws `analytics_unreadable` */
  async catalog(options: AccessOptions = {}): Promise<readonly CatalogEntry[]> {
    const { tables } = await this.#instances.names(accessOf(options));
    return tables.map(toCatalogEntry).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Describes a table and its columns. @throws `table_unknown`, and the errors of `runQuery` */
  async describeTable(name: string, options: DescribeOptions = {}): Promise<TableDescription> {
    using timer = withTimeout(`describing the table ${name}`, TIMEOUT_MS, options.signal);
    const { signal } = timer;
    return await this.#withTable(
      name,
      { ...options, signal },
      async ({ connection, prepareLive, tables }) => {
        const [table] = tables;
        await prepareLive({ sql: null, schemaOnly: true, rowsMax: 0, signal });
        const directory = dataPaths.extract(this.#options.dataDirectory, table!.source);
        return describeTableIn(this.#services.host.files, connection, table!, directory);
      },
    );
  }

  /**
   * Runs work on a connection that may read one published table, which is no remote one, and create temporary tables.
   * @throws `table_unknown`, and the errors of `runQuery`
   */
  readTable<T>(name: string, signal: AbortSignal, work: (opened: OpenedTable) => Promise<T>): Promise<T> {
    return this.#withTable(name, { signal }, ({ connection, tables: [table] }) =>
      work({ connection, table: table!, from: quotedTable(table!) }),
    );
  }

  async #withTable<T>(
    name: string,
    { signal, ...options }: AccessOptions & { readonly signal: AbortSignal },
    work: (lease: Lease) => Promise<T>,
  ): Promise<T> {
    const access = accessOf(options);
    const lease = await this.#lease((names) => [names.find(name)], access, { signal, onWait: () => {} });
    try {
      return await work(lease);
    } catch (error) {
      throw this.#failureFor(access)(withoutViewTexts(error, lease, access), lease.secrets);
    } finally {
      await lease.release();
    }
  }

  /** Returns the first rows of a table, or random rows. @throws `table_unknown`, and the errors of `runQuery` */
  async sampleTable(
    name: string,
    rows: number,
    options: SampleOptions & Pick<QueryRequest, "limits"> = {},
  ): Promise<QueryResult> {
    if (!Number.isInteger(rows) || rows < 0) {
      throw new AgnesError("invalid_input", {
        what: "the number of rows",
        reason: `${rows} is not a whole number`,
      });
    }
    const access = accessOf(options);
    const prepare = async (opening: Opening) => {
      const choose: Choice = (names) => [names.find(name)];
      const lease = await this.#lease(choose, access, opening);
      const from = quotedTable(lease.tables[0]!);
      const sql =
        options.random === true
          ? `SELECT * FROM ${from} USING SAMPLE reservoir(${rows} ROWS)`
          : `SELECT * FROM ${from} LIMIT ${rows}`;
      return readyOrReleased(lease, async () => {
        const { user, signal, onJob } = opening;
        const statement = { sql, rowsMax: rows, user, signal, ...(onJob && { onJob }) };
        const replaced = await lease.prepareLive(statement);
        return { ...lease, sql: replaced?.sql ?? sql };
      });
    };
    const running = { ...options, access, onEnding: this.#onEnding, failure: this.#failureFor(access) };
    return startQuery(this.#services.host, running, prepare);
  }

  /** Waits until the queries that have failed or were stopped have left DuckDB, however long that takes. */
  async settled(): Promise<void> {
    await Promise.all(this.#ending);
  }

  /** Stops all queries and closes the session. Waits at most half a second for calls that cannot be interrupted. */
  async close(): Promise<void> {
    await atMost(Promise.all([this.#instances.close(CLOSE_GRACE_MS), ...this.#hybrids]), CLOSE_GRACE_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Leases an instance for chosen tables. @throws the errors of `Instances.lease` */
  #lease(choose: Choice, access: Access, opening: Opening): Promise<Lease> {
    return this.#instances.lease(choose, access, opening);
  }

  async #prepare(entered: PreparedRequest, opening: Opening): Promise<Run> {
    const { signal } = opening;
    const { sql: named, unknown } = await this.#withoutDirectNames(entered);
    const placed = await this.#checked.withValues(named, entered.literals, signal);
    const request = { ...entered, sql: placed.sql };
    const { register } = request;
    const query = await this.#checked
      .check(placed, request.trusted === true, signal)
      .catch(async (error: unknown) => {
        if (unknown === null || !isAgnesError(error, "sql_not_allowed")) throw error;
        if (!error.details.reason.startsWith(OTHER_DATABASE)) throw error;
        throw (await this.#instances.names(entered.access)).unknown(unknown.name, unknown.place);
      });
    if (register === undefined || Object.keys(register).length === 0)
      return this.#prepareLocal(request, query, opening);
    const preparing = this.#prepareHybrid({ ...request, register }, query, opening);
    const ended = preparing.catch(() => {}).finally(() => this.#hybrids.delete(ended));
    this.#hybrids.add(ended);
    return preparing;
  }

  async #withoutDirectNames({ sql, access }: QueryRequest & { readonly access: Access }): Promise<Renamed> {
    const { sources } = this.#options;
    checkSize(sql);
    if (sources === undefined || !mayNameDirectly(sql)) return { sql, unknown: null };
    return withoutDirectNames(sql, await this.#instances.names(access), await sources.tables());
  }

  /** Prepares a query after the queries of `register`, whose sources are closed before it runs. */
  async #prepareHybrid(
    request: QueryRequest & { readonly access: Access } & Required<Pick<QueryRequest, "register">>,
    query: GuardedQuery,
    opening: Opening,
  ): Promise<Run> {
    const { access, register, trusted = false } = request;
    const hybrid = await openHybrid(
      { register, query, names: await this.#instances.names(access), access },
      {
        services: this.#services,
        sources: this.#options.sources,
        prepare: (sql, part) => this.#prepare({ sql, access, trusted }, { ...part, isPart: true }),
        failure: this.#failureFor(access),
      },
      opening,
    );
    try {
      return await this.#prepareLocal(request, query, opening, hybrid);
    } finally {
      opening.onWait(null);
      await hybrid.close();
    }
  }

  async #prepareLocal(
    request: QueryRequest & { readonly access: Access },
    query: GuardedQuery,
    opening: Opening,
    hybrid?: Hybrid,
  ): Promise<Run> {
    const { user, signal, onJob } = opening;
    const { access, register, trusted: isTrusted = false } = request;
    const isRegistered = isAlias(register);
    const isAlone = hybrid === undefined && opening.isPart !== true;
    const tables = query.tables.filter((use) => !isRegistered(use));
    let granted: readonly AnalyticsTable[] = [];
    const choose = (names: TableNames) => {
      granted = names.tables;
      return isTrusted ? names.resolveKnown(tables) : names.resolve(tables);
    };
    const open = () =>
      tables.length === 0 && !isTrusted && !query.hasListings
        ? this.#instances.leaseBare(signal)
        : this.#instances.lease(choose, access, opening, isAlone ? query : null);
    const scope = () => ({ granted, isRestricted: access !== null, signal });
    // A PIVOT without listed values is bound with its rows.
    if (hybrid?.hasSchemas === true && !query.isExplained && query.pivots.length === 0) {
      const lease = await open();
      await bindEmpty(lease, hybrid, () => this.#finish(lease, query, scope(), null), signal);
    }
    const lease = await open();
    const prepare = async () => {
      const { isExplained, pivots } = query;
      if (isExplained && pivots.length > 0) refuseLivePivot(lease);
      const replaced = await lease.prepareLive({
        sql: pivots.length === 0 && !isExplained ? query.sql : null,
        ...(isExplained && { explained: query.sql }),
        schemaOnly: isExplained,
        rowsMax: (request.limits?.maxRows ?? Infinity) + 1,
        ...(hybrid && { load: (place) => hybrid.load(place, isExplained ? null : readAliases(query)) }),
        ...(onJob && { onJob }),
        user,
        signal,
      });
      const whole = await this.#finish(lease, query, scope(), replaced);
      if (hybrid !== undefined) return { ...lease, sql: whole, registered: () => hybrid.receipts() };
      return { ...lease, sql: whole, isKept: !isTrusted && mayKeepStatement(query, lease.tables) };
    };
    return readyOrReleased(lease, prepare, (error) => withoutViewTexts(error, lease, access));
  }

  /** Returns the SQL to run, after the parts that depend on the tables and their data are filled in. */
  async #finish(
    lease: Lease,
    { sql, tree, pivots, bounds, hasListings, isExplained, typeChecks }: GuardedQuery,
    scope: Scope,
    replaced: Replacement | null,
  ): Promise<string> {
    const { connection, tables } = lease;
    const { signal } = scope;
    for (const bound of bounds) await connection.run(bound);
    const list = (part: unknown) => withListings(connection, part, scope.granted);
    const whole = replaced?.sql ?? (hasListings ? await renderSql(connection, await list(tree)) : sql);
    await makePivotTypes(connection, pivots, whole, { signal, rewritten: hasListings ? list : null });
    const checked = await checkTypes(lease, whole, typeChecks);
    if (!isExplained) return checked;
    // The view of an extract of another program can contain names of other tables.
    const hasDetails =
      !scope.isRestricted ||
      tables.every(({ accessMode, generation }) => accessMode === "file" && generation !== null);
    const local = await planOf(connection, checked, { hasDetails, signal });
    const plan = replaced === null ? local : shippedPlan(replaced.ranSql, local, hasDetails);
    return `SELECT 'physical_plan' AS explain_key, ${quoteLiteral(plan)} AS explain_value`;
  }

  /** Returns a function that converts an error for the caller. After a fatal error, the next query gets a new instance. */
  #failureFor(access: Access, typed?: string): (error: unknown, secrets?: Iterable<string>) => unknown {
    const home = this.#services.host.env["HOME"] ?? null;
    const scope = { dataDirectory: this.#directory, home, access };
    return (error, secrets = []) => {
      const failure = isNamed(error) ? error : queryFailure(error, { ...scope, secrets, typed });
      if (isFatal(error) || isFatal(failure)) this.#instances.renewNext();
      return failure;
    };
  }
}

type PreparedRequest = QueryRequest & WithLiterals & { readonly access: Access };

/** The caller of a statement. */
interface Scope {
  readonly granted: readonly AnalyticsTable[];
  readonly isRestricted: boolean;
  readonly signal: AbortSignal;
}
