import { abortError, AgnesError, atMost, linkedController, raceAbort } from "../../base/mod.ts";
import type { QueryArray } from "../../kit/mod.ts";
import { JobList, type SourceHandle } from "../../sources/mod.ts";
import type { TableRecord } from "../../tables/mod.ts";
import type { Opening } from "../opening.ts";
import { aliasError, aliasText, isNamed } from "./alias-error.ts";
import { checkAccess } from "./check-access.ts";
import { estimateAlias } from "./estimate-alias.ts";
import { checkColumns, loadAlias, type AliasPlace, type ReadyAlias } from "./load-alias.ts";
import { shareBytes } from "./share-bytes.ts";
import type { Alias, HybridPlace, HybridSources, IsRead, RegisteredReceipt } from "./types.ts";

/** How long connectors may cancel their jobs and close after a failure. */
const CLOSE_GRACE_MS = 1_000;

/** What the queries of `register` need. */
export interface HybridRequest {
  readonly services: AliasPlace["services"];
  readonly sources: HybridSources;
  readonly aliases: readonly Alias[];
  /** The registered tables that the caller may access; null: all tables of the sources. */
  readonly accessible: readonly TableRecord[] | null;
  /** Reads the keys of an alias. */
  readonly readKeys: (alias: Alias & { readonly keys: string }, signal: AbortSignal) => Promise<QueryArray>;
  /** Converts an error for the caller. */
  readonly failure: (error: unknown) => unknown;
  /** On whose behalf the sources run the queries. */
  readonly user: Opening["user"];
  /** Receives the jobs of the sources. */
  readonly onJob?: Opening["onJob"];
  readonly signal: AbortSignal;
}

/**
 * The queries of `register`. `open` estimates all of them, so that none runs if one is rejected; `load` runs them at once.
 * If one fails, the others stop.
 */
export class Hybrid {
  readonly #request: HybridRequest;
  readonly #handles = new Map<string, Promise<SourceHandle>>();
  readonly #opened: SourceHandle[] = [];
  /** Calls of connectors, which may end after their failure was reported. */
  readonly #running: Promise<unknown>[] = [];
  #ready: readonly ReadyAlias[] = [];
  #closing: Promise<void> | null = null;

  private constructor(request: HybridRequest) {
    this.#request = request;
  }

  /** Reads the keys and estimates all queries. @throws the errors of `register` in `query` */
  static async open(request: HybridRequest): Promise<Hybrid> {
    const hybrid = new Hybrid(request);
    try {
      hybrid.#ready = await hybrid.#together(request.aliases, (alias, signal) =>
        raceAbort(hybrid.#prepare(alias, signal), signal, aliasText(alias)),
      );
      shareBytes(hybrid.#ready.filter((ready) => !hasNoKeys(ready)));
      return hybrid;
    } catch (error) {
      await hybrid.close();
      throw error;
    }
  }

  /**
   * Runs all queries and stores their rows as tables of a database.
   * @param isRead whether the rows of an alias are needed. Otherwise its table is empty, and its query runs only if its columns
   * are not known. null: no query runs
   */
  async load({ database, connect, release }: HybridPlace, isRead: IsRead | null): Promise<void> {
    const { services, user, onJob } = this.#request;
    const byAlias = new Map(this.#ready.map((ready) => [ready.alias, ready]));
    await this.#together([...byAlias.keys()], async (alias, signal) => {
      const ready = byAlias.get(alias)!;
      const connection = await connect();
      connection.stopWith(signal);
      try {
        const isNeeded = isRead?.(alias.name) ?? false;
        const isKnown = isRead === null || ready.estimate.schema !== undefined;
        const isEmpty = hasNoKeys(ready) || (!isNeeded && isKnown);
        const onStart = (running: Promise<unknown>) => void this.#running.push(running.catch(() => {}));
        await loadAlias(ready, { database, connection, services, isEmpty, user, signal, onStart, onJob });
      } finally {
        await release(connection);
      }
    });
  }

  /** Whether all sources state the columns of their queries before they run. */
  get hasSchemas(): boolean {
    return this.#ready.every(({ estimate }) => estimate.schema !== undefined);
  }

  receipts(): readonly RegisteredReceipt[] {
    return this.#ready.map(({ alias, parameters, estimate, totals, jobs }) => {
      const { rows, scannedBytes, price } = estimate;
      return {
        alias: alias.name,
        source: alias.source,
        keys: alias.keys === null ? null : (parameters["keys"] as QueryArray).values.length,
        estimate: {
          ...(rows === undefined ? {} : { rows }),
          ...(scannedBytes === undefined ? {} : { scannedBytes }),
          ...(price === undefined ? {} : { price }),
        },
        ...totals,
        ...jobs.field,
      };
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

  async #prepare(alias: Alias, signal: AbortSignal): Promise<ReadyAlias> {
    const { accessible, readKeys, user } = this.#request;
    const { keys: sql } = alias;
    const keys = sql === null ? null : await readKeys({ ...alias, keys: sql }, signal);
    const parameters = keys === null ? {} : { keys };
    const handle = await this.#open(alias, signal);
    const estimate = await estimateAlias(
      alias,
      handle,
      { signal, parameters, ...(user === undefined ? {} : { user }) },
      { isRestricted: accessible !== null, running: this.#running },
    );
    if (accessible !== null) checkAccess(alias, estimate, accessible);
    const totals = { rows: 0, sizeBytes: 0, elapsedMs: 0, ran: false };
    const ready = { alias, handle, parameters, estimate, totals, limitBytes: 0, jobs: new JobList() };
    checkEstimate(ready);
    return ready;
  }

  async #open({ name, source }: Alias, signal: AbortSignal): Promise<SourceHandle> {
    const { sources } = this.#request;
    const key = sources.isPerAlias === true ? name : source;
    const opening = this.#handles.get(key) ?? sources.open(source, signal, name);
    this.#handles.set(key, opening);
    const handle = await opening;
    this.#opened.push(handle);
    return handle;
  }

  #secrets(): readonly string[] {
    return this.#opened.flatMap(({ secrets }) => secrets);
  }

  /** Does work for all aliases at once. The first failure stops the others and names its alias. */
  async #together<T>(
    aliases: readonly Alias[],
    work: (alias: Alias, signal: AbortSignal) => Promise<T>,
  ): Promise<readonly T[]> {
    const { signal, failure } = this.#request;
    using stop = linkedController(signal);
    let first: { readonly error: unknown } | null = null;
    const settled = await Promise.all(
      aliases.map(async (alias) => {
        try {
          return { value: await work(alias, stop.signal) };
        } catch (error) {
          const named = () => aliasError(isNamed(error) ? error : failure(error), alias, this.#secrets());
          first ??= { error: signal.aborted ? abortError(signal, "the query") : named() };
          stop.abort(new AgnesError("aborted", { what: "the query of another alias" }));
          return null;
        }
      }),
    );
    if (first !== null) throw (first as { readonly error: unknown }).error;
    return settled.map((one) => one!.value);
  }
}

/**
 * Checks what the source states before the query runs.
 * @throws `alias_refused`, `alias_limit_exceeded`, and the error with which the source would reject the query
 */
export function checkEstimate({ alias, estimate }: ReadyAlias): void {
  const { problem, schema, statementType = "SELECT", scannedBytes = 0 } = estimate;
  if (problem !== undefined) throw problem;
  if (schema !== undefined) checkColumns(alias, schema);
  const { name, source, limits } = alias;
  if (statementType !== "SELECT") {
    const reason = `its SQL is a statement of the type ${statementType}`;
    throw new AgnesError("alias_refused", { alias: name, reason, advice: "Write one SELECT." });
  }
  const { maxScannedBytes: max = Infinity } = limits;
  if (scannedBytes > max)
    throw new AgnesError("alias_limit_exceeded", { alias: name, source, limit: "scanned bytes", max });
}

/** Whether an alias has keys, but no value of them. */
export function hasNoKeys({ alias, parameters }: ReadyAlias): boolean {
  return alias.keys !== null && (parameters["keys"] as QueryArray).values.length === 0;
}
