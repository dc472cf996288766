import type { ResultFormat, TextOptions } from "../duckdb/mod.ts";
import type { QueryLimits } from "../kit/mod.ts";
import type { CatalogEntry, TableDescription } from "./catalog.ts";
import type { Condition } from "./condition/with-condition.ts";
import type { RegisteredQuery } from "./hybrid/mod.ts";
import type { QueryParams } from "./params/literals.ts";
import type { QueryResult, Receipt } from "./run.ts";

/** The caller of a query, and the tables it may access. */
export interface AccessOptions {
  /**
   * The caller on whose behalf a query runs, as any text that is no secret. With `isolation: "process"`, all queries of one
   * principal hold at most half of the worker processes, and only some may wait. Sources receive it as `user`: `bigquery` counts
   * `dailyBytes` for each, and labels the jobs with it. Default: none; such queries share all processes, and one count.
   */
  readonly principal?: string;
  /**
   * The tables the caller may access, by id or view name, in any case; null: all. Other tables do not exist for the
   * caller. Default: null.
   */
  readonly access?: ReadonlySet<string> | null;
}

/** The options of describing a table. */
export interface DescribeOptions extends AccessOptions {
  readonly signal?: AbortSignal;
}

/** The options of reading some rows of a table. */
export interface SampleOptions extends DescribeOptions {
  /** Returns random rows instead of the first ones. Default: false. */
  readonly random?: boolean;
}

/** The SQL and options of one query. */
export interface QueryRequest extends AccessOptions {
  /** One SELECT, optionally followed by `;`. */
  readonly sql: string;
  /**
   * The values of the parameters of `sql`: `{ since: "2026-01-01" }` for `$since`, a list for `?` or for `$1`, `$2`. Each value
   * acts as the literal in its place, so a text can never become SQL. All parameters of `sql` need a value, and all values
   * a parameter. They are not for the SQL of `register`. Default: `sql` has no parameters.
   */
  readonly params?: QueryParams;
  /** Rows beyond the limits are cut off, and the receipt has `truncated: true`. Default: 60 seconds, all rows. */
  readonly limits?: QueryLimits;
  /** Allows all tables and functions, for SQL that the caller wrote. Files and settings stay blocked. Default: false. */
  readonly trusted?: boolean;
  /**
   * Queries that run in the engines of sources first, by the alias under which the SQL reads their rows. All are estimated
   * before any of them runs; then they run at once, and if one fails, the others stop. An alias is an identifier that no
   * table and no common table expression has, in any case. With `access`, a source must name the tables that a query reads,
   * and all of them must be accessible and registered as a whole. Default: none.
   */
  readonly register?: Readonly<Record<string, RegisteredQuery>>;
  /** The maximum number of rows per batch. Default: 16384. */
  readonly batchRows?: number;
  readonly signal?: AbortSignal;
}

/** A query whose rows are needed in one format. */
export interface EncodedRequest extends QueryRequest {
  readonly format: ResultFormat;
  readonly text?: TextOptions;
}

/** A condition to check on behalf of a caller. */
export interface ConditionRequest extends Condition, AccessOptions {
  readonly signal?: AbortSignal;
}

/** The rows of a query in one format. */
export interface EncodedResult {
  /** The bytes. They can be read once; leaving the loop stops the query. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** As `QueryResult.receipt`. */
  receipt(): Receipt;
  /** As `QueryResult.close`. */
  close(): Promise<void>;
}

/** The worker processes of queries. */
export interface WorkerCounts {
  /** Processes that are ready or run a query. */
  readonly running: number;
  /** Processes that run a query. */
  readonly busy: number;
  /** The configured number of processes. */
  readonly configured: number;
  /** Queries that wait for a process. */
  readonly waiting: number;
}

/** Runs SQL over the published tables, in this process or in others; see `QuerySession`. */
export interface Queries {
  runQuery(request: QueryRequest): Promise<QueryResult>;
  encodeQuery(request: EncodedRequest): Promise<EncodedResult>;
  /** Returns the SQL with its condition, which reads no other table. @throws `validator_rejected` */
  withCondition(request: ConditionRequest): Promise<string>;
  catalog(options?: AccessOptions): Promise<readonly CatalogEntry[]>;
  describeTable(name: string, options?: DescribeOptions): Promise<TableDescription>;
  sampleTable(
    name: string,
    rows: number,
    options?: SampleOptions & Pick<QueryRequest, "limits">,
  ): Promise<QueryResult>;
  /** The worker processes; null: queries run in this process. */
  workers(): WorkerCounts | null;
  close(): Promise<void>;
}
