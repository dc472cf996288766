import { createHash } from "node:crypto";

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
  /** Stops it. Has no effect after its end. */
  readonly cancel: () => void;
  state: QueryState;
  sentBytes: number;
  /** Set once it ended. */
  endedMs: number | null;
  receipt: Receipt | null;
  /** The body of its error without its cause. */
  error: ReturnType<AgnesError["toJSON"]>["error"] | null;
}

/** An entry of the log. */
export type LoggedQuery = Pick<
  QueryRecord,
  "id" | "principal" | "startedAt" | "sqlHash" | "sql" | "state" | "sentBytes"
> & { readonly elapsedMs: number; readonly rows: number; readonly errorCode: string | null };

/** The time for which the state of a query is kept after its end. */
const KEPT_MS = 600_000;
const ENDED_MAX = 5_000;
const LOGGED_MAX = 1_000;
/** The SQL in the log is cut off after this many characters. */
const SQL_LENGTH_MAX = 10_000;

/** The queries that run, those that ended in the last ten minutes, and a log. All are bounded. */
export class QueryHistory {
  readonly #running = new Map<string, QueryRecord>();
  /** The earliest end first. */
  readonly #ended = new Map<string, QueryRecord>();
  readonly #log: LoggedQuery[] = [];

  /** Adds a query. @throws `query_id_taken` if its id is that of a running query, or of another principal */
  start(
    host: Pick<Host, "now" | "monotonicMs">,
    query: Pick<QueryRecord, "id" | "principal" | "cancel"> & {
      readonly text: string;
      readonly isTextLogged: boolean;
    },
  ): QueryRecord {
    const { id, principal, cancel, text, isTextLogged } = query;
    this.#forgetOld(host);
    const other = this.#ended.get(id);
    if (this.#running.has(id) || (other !== undefined && other.principal.id !== principal.id))
      throw new AgnesError("query_id_taken", {});
    this.#ended.delete(id);
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
    this.#running.set(id, record);
    return record;
  }

  /** Marks the end of a query. @param error why it failed; null: it succeeded */
  end(
    host: Pick<Host, "monotonicMs">,
    record: QueryRecord,
    error: AgnesError | null,
    receipt: Receipt | null,
  ): LoggedQuery {
    record.endedMs = host.monotonicMs();
    record.receipt = error === null ? receipt : null;
    record.error = error?.toJSON().error ?? null;
    if (error === null) record.state = "done";
    else record.state = isAgnesError(error, "aborted") ? "cancelled" : "failed";
    this.#running.delete(record.id);
    this.#ended.set(record.id, record);
    this.#forgetOld(host);
    const entry = loggedOf(record, record.endedMs, receipt?.rows ?? 0);
    this.#log.push(entry);
    if (this.#log.length > LOGGED_MAX) this.#log.shift();
    return entry;
  }

  /** Returns a query for its caller or an administrator. @throws `query_unknown` */
  find(host: Pick<Host, "monotonicMs">, id: string, principal: Principal): QueryRecord {
    this.#forgetOld(host);
    const record = this.#running.get(id) ?? this.#ended.get(id);
    if (record === undefined || (principal.role !== "admin" && record.principal.id !== principal.id))
      throw new AgnesError("query_unknown", {});
    return record;
  }

  /** Returns the latest queries, those that run first. */
  log(host: Pick<Host, "monotonicMs">, limit: number): readonly LoggedQuery[] {
    const running = [...this.#running.values()].map((record) => loggedOf(record, host.monotonicMs(), 0));
    return [...running.reverse(), ...this.#log.toReversed()].slice(0, limit);
  }

  #forgetOld(host: Pick<Host, "monotonicMs">): void {
    const earliestMs = host.monotonicMs() - KEPT_MS;
    for (const { id, endedMs } of this.#ended.values()) {
      if (endedMs! >= earliestMs && this.#ended.size <= ENDED_MAX) return;
      this.#ended.delete(id);
    }
  }
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
