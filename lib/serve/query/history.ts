import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";

import { AgnesError, isAgnesError, type Host } from "../../base/mod.ts";
import type { Receipt } from "../../query/mod.ts";
import type { Principal } from "../auth/principal.ts";

/** The state of a query. */
type QueryState = "running" | "done" | "failed" | "cancelled";

/** A query that runs or ran for a client. */
export interface QueryRecord {
  readonly id: string;
  readonly principal: Pick<Principal, "id" | "name">;
  readonly startedAt: Date;
  readonly startedMs: number;
  /** SHA-256, hexadecimal. */
  readonly sqlHash: string;
  /** The SQL, if it is logged. */
  readonly sql: string | null;
  /** Stops it. Has no effect after its end, and then keeps nothing of its request in memory. */
  cancel: () => void;
  state: QueryState;
  sentBytes: number;
  /** Set once it ended. */
  endedMs: number | null;
  receipt: Receipt | null;
  /** The body of its error without its cause. */
  error: ReturnType<AgnesError["toJSON"]>["error"] | null;
}

/** What a query returned. */
export interface QueryEnd {
  readonly receipt?: Receipt | null;
  readonly rows?: number;
}

/** An entry of the log. */
export type LoggedQuery = Pick<
  QueryRecord,
  "id" | "principal" | "startedAt" | "sqlHash" | "sql" | "state" | "sentBytes"
> & { readonly elapsedMs: number; readonly rows: number; readonly errorCode: string | null };

/** The time for which the state of a query is kept after its end. */
const KEPT_MS = 600_000;
const POLL_MS = 100;
const ENDED_MAX = 5_000;
const LOGGED_MAX = 1_000;
/** The SQL in the log is cut off after this many characters. */
const SQL_LENGTH_MAX = 10_000;

/** The queries that run, those that ended in the last ten minutes, and a log. All are bounded. */
export class QueryHistory {
  /** By `keyOf`, because ids that clients choose are unique for each principal only. */
  readonly #running = new Map<string, QueryRecord>();
  /** By `keyOf`, the earliest end first. */
  readonly #ended = new Map<string, QueryRecord>();
  readonly #log: LoggedQuery[] = [];

  /** Adds a query. @throws `query_id_taken` if its id is that of a running query of its principal */
  start(
    host: Pick<Host, "now" | "monotonicMs">,
    query: Pick<QueryRecord, "id" | "principal" | "cancel"> & {
      readonly text: string;
      readonly isTextLogged: boolean;
    },
  ): QueryRecord {
    const { id, principal, cancel, text, isTextLogged } = query;
    this.#forgetOld(host);
    const key = keyOf(id, principal);
    if (this.#running.has(key)) throw new AgnesError("query_id_taken", {});
    this.#ended.delete(key);
    const record: QueryRecord = {
      id,
      principal: { id: principal.id, name: principal.name },
      cancel,
      startedAt: host.now(),
      startedMs: host.monotonicMs(),
      sqlHash: createHash("sha256").update(text).digest("hex"),
      sql: isTextLogged ? text.slice(0, SQL_LENGTH_MAX) : null,
      state: "running",
      sentBytes: 0,
      endedMs: null,
      receipt: null,
      error: null,
    };
    this.#running.set(key, record);
    return record;
  }

  /**
   * Marks the end of a query.
   * @param error why it failed; null: it succeeded
   * @param result.rows the number of rows of a query without a receipt. Default: that of the receipt, or 0
   */
  end(
    host: Pick<Host, "monotonicMs">,
    record: QueryRecord,
    error: AgnesError | null,
    { receipt = null, rows = receipt?.rows ?? 0 }: QueryEnd = {},
  ): LoggedQuery {
    record.endedMs = host.monotonicMs();
    record.cancel = () => {};
    record.receipt = error === null ? receipt : null;
    record.error = error?.toJSON().error ?? null;
    if (error === null) record.state = "done";
    else record.state = isAgnesError(error, "aborted") ? "cancelled" : "failed";
    const key = keyOf(record.id, record.principal);
    this.#running.delete(key);
    this.#ended.set(key, record);
    this.#forgetOld(host);
    const entry = loggedOf(record, record.endedMs, rows);
    this.#log.push(entry);
    if (this.#log.length > LOGGED_MAX) this.#log.shift();
    return entry;
  }

  /**
   * Returns a query for its caller or an administrator.
   * @param query.owner the id of its principal. Default: the caller; for an administrator who has no query with this id, the
   *   only principal who has one
   * @throws `query_unknown`, `query_id_ambiguous`
   */
  find(
    host: Pick<Host, "monotonicMs">,
    { id, owner }: { readonly id: string; readonly owner?: string | undefined },
    principal: Principal,
  ): QueryRecord {
    this.#forgetOld(host);
    const isAdmin = principal.role === "admin";
    const record = this.#get(id, owner ?? principal.id);
    if (record !== undefined && (isAdmin || record.principal.id === principal.id)) return record;
    const others = isAdmin && owner === undefined ? this.#all(id) : [];
    if (others.length > 1)
      throw new AgnesError("query_id_ambiguous", { principals: others.map((other) => other.principal.id) });
    if (others[0] === undefined) throw new AgnesError("query_unknown", {});
    return others[0];
  }

  #get(id: string, owner: string): QueryRecord | undefined {
    const key = keyOf(id, { id: owner });
    return this.#running.get(key) ?? this.#ended.get(key);
  }

  /** The queries of all principals with an id. */
  #all(id: string): readonly QueryRecord[] {
    return [...this.#running.values(), ...this.#ended.values()].filter((record) => record.id === id);
  }

  /** Returns the latest queries, those that run first. */
  log(host: Pick<Host, "monotonicMs">, limit: number): readonly LoggedQuery[] {
    const running = [...this.#running.values()].map((record) => loggedOf(record, host.monotonicMs(), 0));
    return [...running.reverse(), ...this.#log.toReversed()].slice(0, limit);
  }

  /** Waits for the end of the queries that run now. */
  async drained(signal: AbortSignal): Promise<void> {
    const running = [...this.#running.values()];
    while (running.some(({ state }) => state === "running")) await setTimeout(POLL_MS, undefined, { signal });
  }

  #forgetOld(host: Pick<Host, "monotonicMs">): void {
    const earliestMs = host.monotonicMs() - KEPT_MS;
    for (const [key, { endedMs }] of this.#ended) {
      if (endedMs! >= earliestMs && this.#ended.size <= ENDED_MAX) return;
      this.#ended.delete(key);
    }
  }
}

/** The key of a query. Neither id contains a space. */
function keyOf(id: string, owner: Pick<Principal, "id">): string {
  return `${owner.id} ${id}`;
}

function loggedOf(record: QueryRecord, nowMs: number, rows: number): LoggedQuery {
  const { id, principal, startedAt, startedMs, sqlHash, sql, state, sentBytes, error } = record;
  const elapsedMs = Math.round(nowMs - startedMs);
  return {
    id,
    principal,
    startedAt,
    sqlHash,
    sql,
    state,
    sentBytes,
    elapsedMs,
    rows,
    errorCode: error?.code ?? null,
  };
}
