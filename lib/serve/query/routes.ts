import * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import { CONTENT_TYPES } from "./formats.ts";
import { QueryHistory, type LoggedQuery, type QueryRecord } from "./history.ts";
import { runQuery } from "./run-query.ts";
import {
  queryBody,
  queryLogBody,
  queryLogOptions,
  queryOptions,
  queryStateBody,
  resultBody,
} from "./schemas.ts";
import { snakeCase } from "./snake-case.ts";

const ID_HEADER = "X-Agnes-Query-Id";
const ID = /^[\w-]{8,64}$/;
const LOGGED = 100;

const idParam = v.object({ id: v.pipe(v.string(), v.description("The id of the query")) });

/** `POST /api/query`, and the queries of the last minutes. */
export function queryRoutes(): readonly Route[] {
  const history = new QueryHistory();
  return [postQuery(history), getQuery(history), cancelQuery(history), listQueries(history)];
}

function postQuery(history: QueryHistory): Route {
  return route({
    method: "post",
    path: "/api/query",
    operationId: "runQuery",
    tag: "queries",
    summary: "Run a query and return its rows",
    description: [
      "The format is that of the parameter `format` or of the header Accept. Each response has its id in the header",
      `${ID_HEADER}; a client may send its own id of 8 to 64 letters, digits, \`_\` and \`-\` in the same header. A query that`,
      "fails after the first bytes breaks the connection.",
    ].join(" "),
    access: "signed_in",
    query: queryOptions,
    body: queryBody,
    responses: {
      200: {
        description: "The rows",
        schema: resultBody,
        types: Object.values(CONTENT_TYPES).filter((type) => type !== CONTENT_TYPES.json),
      },
    },
    errors: [400, 403, 404, 406, 408, 409, 412, 429, 499, 501, 502, 503, 504, 507],
    headersOf: (request, requestId) => ({ [ID_HEADER]: clientId(request) ?? requestId }),
    handle({ services, principal, body, query, request, requestId }) {
      const id = clientId(request) ?? requestId;
      if (request.headers.has(ID_HEADER) && clientId(request) === null) {
        const reason = "it must be 8 to 64 letters, digits, _ or -";
        throw new AgnesError("request_invalid", { part: "header", field: ID_HEADER, reason });
      }
      return runQuery(services, history, { id, principal, body, options: query, request, requestId });
    },
  });
}

/** The id that a client chose; null: none that is valid. */
function clientId(request: Request): string | null {
  const id = request.headers.get(ID_HEADER);
  return id !== null && ID.test(id) ? id : null;
}

function getQuery(history: QueryHistory): Route {
  return route({
    method: "get",
    path: "/api/queries/:id",
    operationId: "getQuery",
    tag: "queries",
    summary: "Return the state of a query, with its receipt or error",
    description: "For its caller and administrators, while it runs and for ten minutes after its end.",
    access: "signed_in",
    params: idParam,
    responses: { 200: { description: "The state of the query", schema: queryStateBody } },
    errors: [404],
    handle: ({ services, principal, params }) =>
      Response.json(hidePaths(stateOf(history.find(services.host, params.id, principal)), services.folders)),
  });
}

function stateOf({ id, state, startedAt, sentBytes, receipt, error }: QueryRecord) {
  return {
    query_id: id,
    state,
    started_at: startedAt.toISOString(),
    progress: { sent_bytes: sentBytes },
    receipt: snakeCase(receipt),
    error,
  };
}

function cancelQuery(history: QueryHistory): Route {
  return route({
    method: "delete",
    path: "/api/queries/:id",
    operationId: "cancelQuery",
    tag: "queries",
    summary: "Cancel a query",
    description: "For its caller and administrators. A query that has ended stays as it is.",
    access: "signed_in",
    params: idParam,
    responses: { 204: { description: "The query is stopped, or has ended before" } },
    errors: [404],
    handle({ services, principal, params }) {
      history.find(services.host, params.id, principal).cancel();
      return new Response(null, { status: 204 });
    },
  });
}

function listQueries(history: QueryHistory): Route {
  return route({
    method: "get",
    path: "/api/admin/queries",
    operationId: "listQueries",
    tag: "queries",
    summary: "List the latest queries of all callers",
    description:
      "Those that run come first, then those that ended, the latest first. At most 1,000 are kept.",
    access: "admin",
    query: queryLogOptions,
    responses: { 200: { description: "The queries", schema: queryLogBody } },
    handle: ({ services, query }) =>
      Response.json({
        queries: history.log(services.host, Number(query.limit ?? LOGGED)).map(entryOf),
      }),
  });
}

function entryOf({ id, principal, startedAt, state, ...entry }: LoggedQuery) {
  return {
    query_id: id,
    principal,
    started_at: startedAt.toISOString(),
    sql_hash: entry.sqlHash,
    sql: entry.sql,
    elapsed_ms: entry.elapsedMs,
    rows: entry.rows,
    sent_bytes: entry.sentBytes,
    outcome: state,
    error_code: entry.errorCode,
  };
}
