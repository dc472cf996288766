import type { RecordBatch, Schema } from "apache-arrow";

import { AgnesError, atMost, redactThrown, type Host, type Log } from "../../../base/mod.ts";
import type { DuckDBLimits } from "../../../duckdb/mod.ts";
import type { QueryArray, QueryEstimate, SourceJob } from "../../../kit/mod.ts";
import { JobList, type SourceHandle } from "../../../sources/mod.ts";
import { checkAccess } from "../../hybrid/check-access.ts";
import { checkAliases } from "../../hybrid/check-aliases.ts";
import { estimateAlias } from "../../hybrid/estimate-alias.ts";
import { checkEstimate, hasNoKeys } from "../../hybrid/hybrid.ts";
import { KEYS_MAX } from "../../hybrid/keys.ts";
import { checkColumns, run, sourceOf, type ReadyAlias } from "../../hybrid/load-alias.ts";
import { visibleRecords } from "../../hybrid/open-hybrid.ts";
import { shareBytes } from "../../hybrid/share-bytes.ts";
import type { Alias, HybridSources, RegisteredQuery } from "../../hybrid/types.ts";
import type { Opening } from "../../opening.ts";

/** How long connectors may cancel their jobs and close. */
const CLOSE_GRACE_MS = 1_000;

/** What the queries of `register` need in the parent of a worker. */
export interface AliasServices {
  readonly services: { readonly host: Host; readonly log: Log; readonly limits: DuckDBLimits };
  readonly sources: HybridSources;
  readonly register: Readonly<Record<string, RegisteredQuery>>;
  /** On whose behalf the sources run the queries. The worker does not name it. */
  readonly user: Opening["user"];
  readonly access: ReadonlySet<string> | null;
}

/**
 * The queries of `register` of one query in a worker. The SQL, the limits and the access are those of the caller, and each
 * alias runs at most once: the worker only supplies the keys.
 */
export class AliasWork {
  readonly #options: AliasServices;
  #aliases: readonly Alias[] | null = null;
  readonly #ready = new Map<string, ReadyAlias>();
  readonly #handles = new Map<string, Promise<SourceHandle>>();
  readonly #opened: SourceHandle[] = [];
  readonly #running: Promise<unknown>[] = [];
  readonly #started = new Set<string>();
  #areLimitsShared = false;
  #closing: Promise<void> | null = null;

  constructor(options: AliasServices) {
    this.#options = options;
  }

  /** Opens the source of an alias. */
  async open(name: string, signal: AbortSignal): Promise<void> {
    const { source } = await this.#alias(name);
    await this.#clean(async () => this.#open(source, name, signal));
  }

  /** Estimates an alias. If the estimate excludes it, it cannot run. @throws the errors of `register` in `query` */
  async estimate(name: string, keys: QueryArray | null, signal: AbortSignal): Promise<QueryEstimate> {
    const alias = await this.#alias(name);
    if (this.#started.has(name)) throw unexpected(`a second estimate of the alias ${name}`);
    this.#started.add(name);
    checkKeys(alias, keys);
    return this.#clean(async () => {
      const { access, sources, user } = this.#options;
      const handle = await this.#open(alias.source, name, signal);
      const parameters = keys === null ? {} : { keys };
      const estimate = await estimateAlias(
        alias,
        handle,
        { signal, parameters, ...(user === undefined ? {} : { user }) },
        { isRestricted: access !== null, running: this.#running },
      );
      if (access !== null) checkAccess(alias, estimate, visibleRecords(await sources.tables(), access));
      const totals = { rows: 0, sizeBytes: 0, elapsedMs: 0, ran: false };
      const ready = { alias, handle, parameters, estimate, totals, limitBytes: 0, jobs: new JobList() };
      const problem = problemOf(ready);
      if (problem === null) this.#ready.set(name, ready);
      // The worker finds the other problems in the estimate itself.
      return problem === null || estimate.problem === undefined
        ? estimate
        : { ...estimate, problem: this.#redacted(estimate.problem) as AgnesError };
    });
  }

  /** Runs the query of an alias. @throws the errors of `register` in `query` */
  async run(
    name: string,
    signal: AbortSignal,
    onJob: (job: SourceJob) => void,
  ): Promise<{ readonly schema: Schema; readonly batches: AsyncIterable<RecordBatch> }> {
    const ready = this.#ready.get(name);
    if (ready === undefined || ready.totals.ran || hasNoKeys(ready))
      throw unexpected(`to run the alias ${name}`);
    if (!this.#areLimitsShared) {
      const all = [...this.#ready.values()];
      if (all.length < this.#aliases!.length)
        throw unexpected(`to run the alias ${name} before all estimates`);
      shareBytes(all.filter((one) => !hasNoKeys(one)));
      this.#areLimitsShared = true;
    }
    return this.#clean(async () => {
      const onStart = (running: Promise<unknown>) => void this.#running.push(running.catch(() => {}));
      const result = await run(ready, { user: this.#options.user, onStart, onJob }, signal);
      checkColumns(ready.alias, result.schema);
      const columns = result.schema.fields.map((field) => String(field.name));
      const rows = sourceOf(ready, result, this.#options.services).open(columns, signal);
      return { schema: result.schema, batches: this.#cleanRows(rows) };
    });
  }

  /** Closes the sources. Connectors that still cancel their jobs have a second. Further calls do nothing. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await atMost(Promise.all(this.#running), CLOSE_GRACE_MS);
    const closing = [...this.#handles.values()].map(async (handle) => (await handle).close());
    await atMost(Promise.allSettled(closing), CLOSE_GRACE_MS);
  }

  async #alias(name: string): Promise<Alias> {
    const { register, sources, access } = this.#options;
    const accessible = access === null ? null : visibleRecords(await sources.tables(), access);
    // The worker has compared the names with those in the SQL.
    const used = new Set(Object.keys(register).map((one) => one.toLowerCase()));
    const taken = { tables: new Set<string>(), expressions: new Set<string>(), used };
    this.#aliases ??= checkAliases(register, taken, { sources, accessible });
    const alias = this.#aliases.find((one) => one.name === name);
    if (alias === undefined || this.#closing !== null)
      throw unexpected("an alias that the query does not have");
    return alias;
  }

  async #open(source: string, alias: string, signal: AbortSignal): Promise<SourceHandle> {
    const opening = this.#handles.get(source) ?? this.#options.sources.open(source, signal, alias);
    this.#handles.set(source, opening);
    const handle = await opening;
    this.#opened.push(handle);
    return handle;
  }

  async #clean<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#redacted(error);
    }
  }

  async *#cleanRows(rows: AsyncIterable<RecordBatch>): AsyncGenerator<RecordBatch, void, void> {
    try {
      yield* rows;
    } catch (error) {
      throw this.#redacted(error);
    }
  }

  #redacted(error: unknown): unknown {
    return redactThrown(
      error,
      this.#opened.flatMap(({ secrets }) => secrets),
    );
  }
}

function problemOf(ready: ReadyAlias): unknown {
  try {
    checkEstimate(ready);
    return null;
  } catch (error) {
    return error;
  }
}

function checkKeys({ name, keys: sql }: Alias, keys: QueryArray | null): void {
  const isExpected = (sql === null) === (keys === null) && (keys?.values.length ?? 0) <= KEYS_MAX;
  if (!isExpected) throw unexpected(`other keys of the alias ${name}`);
}

/** The error of a request that a worker with its own code never makes. */
export function unexpected(what: string): AgnesError {
  return new AgnesError("internal", { what: `a worker process requested ${what}` });
}
