import { AgnesError, linkedController } from "../../base/mod.ts";
import type { EncodedResult, Receipt } from "../../query/mod.ts";
import type { Principal } from "../auth/principal.ts";
import { problemOf } from "../http/problem.ts";
import type { ServeServices } from "../services.ts";
import { CONTENT_TYPES, responseFormat, type FormatOptions, type ResponseFormat } from "./formats.ts";
import type { LoggedQuery, QueryHistory } from "./history.ts";
import { limitsOf, registeredOf } from "./limits.ts";
import { resultResponse } from "./result-response.ts";
import type { QueryBody } from "./schemas.ts";
import { snakeCase } from "./snake-case.ts";

/** A request of `POST /api/query`. */
interface QueryCall {
  readonly id: string;
  readonly principal: Principal;
  readonly body: QueryBody;
  readonly options: FormatOptions;
  readonly request: Request;
  readonly requestId: string;
}

/** Runs a query and returns its rows. @throws the errors of `QuerySession.runQuery`, before the first bytes */
export async function runQuery(
  services: ServeServices,
  history: QueryHistory,
  { id, principal, body, options, request, requestId }: QueryCall,
): Promise<Response> {
  const { host, config, workspace } = services;
  const format = responseFormat(options, request.headers.get("accept"));
  const limits = limitsOf(body, format.format, config);
  const register = registeredOf(body.register, config);
  const controller = linkedController(request.signal);
  const { signal } = controller;
  const stop = (reason: AgnesError) => controller.abort(reason);
  const record = history.start(host, {
    id,
    principal,
    text: body.sql,
    isTextLogged: config.logSql,
    cancel: () => stop(new AgnesError("aborted", { what: "the query" })),
  });
  let result: EncodedResult | null = null;
  let isEnded = false;
  const onEnd = (cause: unknown) => {
    if (isEnded) return;
    isEnded = true;
    controller[Symbol.dispose]();
    const error = cause === null ? null : problemOf(cause, requestId);
    if (error?.code === "server_failed") services.log.error("a query failed", { requestId, error: cause });
    logQuery(services, history.end(host, record, error, result?.receipt() ?? null), requestId);
    // Before the first bytes are read, nothing else releases its connection.
    result?.close().catch(() => {});
  };
  try {
    result = await workspace.encodeQuery({
      sql: body.sql,
      format: format.format,
      text: format.text,
      limits,
      principal: principal.id,
      access: await services.accessOf(principal),
      signal,
      ...(register !== undefined && { register }),
    });
    const pieces = piecesOf(result, { id, format, maxBytes: config.maxResultBytes });
    return await resultResponse(pieces, {
      headers: { "content-type": CONTENT_TYPES[format.format], "cache-control": "no-store" },
      signal,
      stalledMs: config.stalledMs,
      stop,
      onSent: (bytes) => (record.sentBytes += bytes),
      onEnd,
    });
  } catch (error) {
    onEnd(error);
    throw error;
  }
}

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/** The bytes of a body. @throws `result_too_large` */
async function* piecesOf(
  result: EncodedResult,
  options: { readonly id: string; readonly format: ResponseFormat; readonly maxBytes: number },
): AsyncGenerator<Uint8Array, void, void> {
  const { id, format, maxBytes } = options;
  if (format.hasMark) yield BYTE_ORDER_MARK;
  let sizeBytes = 0;
  for await (const piece of result.bytes) {
    sizeBytes += piece.length;
    // The rows of JSON are cut off at the limit.
    if (format.format !== "json" && sizeBytes > maxBytes)
      throw new AgnesError("result_too_large", { maxBytes });
    yield piece;
  }
  if (format.format === "json") yield jsonTail(id, result.receipt());
  if (format.hasReceiptLine) yield receiptLine(id, result.receipt());
}

const encoder = new TextEncoder();

/** The members after `columns` and `rows`. */
function jsonTail(id: string, receipt: Receipt): Uint8Array {
  const { rows, truncated } = receipt;
  const members = { row_count: rows, truncated, query_id: id, receipt: snakeCase(receipt) };
  return encoder.encode(`,${JSON.stringify(members).slice(1)}\n`);
}

function receiptLine(id: string, receipt: Receipt): Uint8Array {
  return encoder.encode(`${JSON.stringify({ query_id: id, receipt: snakeCase(receipt) })}\n`);
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
