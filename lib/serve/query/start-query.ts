import { AgnesError, linkedController } from "../../base/mod.ts";
import type { Principal } from "../auth/principal.ts";
import { problemOf } from "../http/problem.ts";
import type { ServeServices } from "../services.ts";
import type { LoggedQuery, QueryEnd, QueryRecord } from "./history.ts";

/** Who runs a query, and in which request. */
export interface QueryOrigin {
  readonly id: string;
  readonly principal: Principal;
  /** Its SQL, for the log. */
  readonly text: string;
  readonly request: Request;
  readonly requestId: string;
}

/** A query in the history. */
interface StartedQuery {
  readonly record: QueryRecord;
  /** Aborts when it is cancelled, also by the end of its connection. */
  readonly signal: AbortSignal;
  readonly stop: (reason: AgnesError) => void;
  /** Marks its end and logs it. Only the first call has an effect. @param cause why it failed; null: it succeeded */
  readonly end: (cause: unknown, result?: QueryEnd) => void;
}

/** Adds a query to the history, so that it can be watched and cancelled. @throws `query_id_taken` */
export function startQuery(
  services: ServeServices,
  { id, principal, text, request, requestId }: QueryOrigin,
): StartedQuery {
  const { host, config, queries } = services;
  const controller = linkedController(request.signal);
  const stop = (reason: AgnesError) => controller.abort(reason);
  const record = queries.start(host, {
    id,
    principal,
    text,
    isTextLogged: config.logSql,
    cancel: () => stop(new AgnesError("aborted", { what: "the query" })),
  });
  let isEnded = false;
  const end = (cause: unknown, result?: QueryEnd) => {
    if (isEnded) return;
    isEnded = true;
    controller[Symbol.dispose]();
    const error = cause === null ? null : problemOf(cause, requestId);
    if (error?.code === "server_failed") services.log.error("a query failed", { requestId, error: cause });
    logQuery(services, queries.end(host, record, error, result), requestId);
  };
  return { record, signal: controller.signal, stop, end };
}

function logQuery({ log }: ServeServices, entry: LoggedQuery, requestId: string): void {
  const { id, principal, sqlHash, sql, state, sentBytes, elapsedMs, rows, errorCode } = entry;
  log.info("a query ended", {
    queryId: id,
    requestId,
    principal: principal.id,
    principalName: principal.name,
    sqlHash,
    ...(sql !== null && { sql }),
    elapsedMs,
    rows,
    sentBytes,
    outcome: state,
    errorCode,
  });
}
