import * as v from "valibot";

import { raceAbort } from "../../base/mod.ts";
import type { Principal } from "../auth/principal.ts";
import { linksTo } from "../http/describe-route.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import type { ServeServices } from "../services.ts";
import { CONTENT_TYPES, responseFormat } from "./formats.ts";
import type { LoggedQuery, QueryRecord } from "./history.ts";
import { limitsOf, registeredOf } from "./limits.ts";
import { ID_HEADER, queryId, queryIdDescription, queryIdHeader, queryIdHeaders } from "./query-id.ts";
import { resultBytes } from "./result-bytes.ts";
import { runQuery } from "./run-query.ts";
import {
  queryBody,
  queryLogBody,
  queryLogOptions,
  queryOptions,
  queryStateBody,
  resultBody,
} from "./schemas.ts";
import { sentReceipt } from "./sent-receipt.ts";

const LOGGED = 100;

const idParam = v.object({ id: v.pipe(v.string(), v.description("The id of the query")) });
const ownerQuery = v.strictObject({
  principal: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(100),
      v.description(
        "Id of the token that runs the query, for administrators. Default: the own one, otherwise the only one with such a query",
      ),
    ),
  ),
});

/** `POST /api/query`, and the queries of the last minutes. */
export function queryRoutes(): readonly Route[] {
  return [postQuery(), getQuery(), cancelQuery(), listQueries()];
}

function postQuery(): Route {
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
    headers: queryIdHeader,
    body: queryBody,
    responses: {
      200: {
        description: "The rows",
        schema: resultBody,
        types: Object.values(CONTENT_TYPES).filter((type) => type !== CONTENT_TYPES.json),
        links: linksTo(["getQuery", "cancelQuery"], { id: `$response.header.${ID_HEADER}` }),
      },
    },
    errors: [400, 403, 404, 406, 408, 409, 412, 429, 499, 501, 502, 503, 504, 507],
    headersOf: queryIdHeaders,
    commonHeaders: queryIdDescription,
    handle({ services, principal, body, query, request, requestId }) {
      const { config, workspace } = services;
      const id = queryId(request, requestId);
      const format = responseFormat(query, request.headers.get("accept"));
      const limits = limitsOf(body, format.format, config);
      const register = registeredOf(body.register, config);
      return runQuery(services, {
        id,
        principal,
        text: body.sql,
        contentType: CONTENT_TYPES[format.format],
        request,
        requestId,
        encode: async (signal) =>
          workspace.encodeQuery({
            sql: body.sql,
            format: format.format,
            text: format.text,
            limits,
            principal: principal.id,
            // It may wait for DuckDB, behind other queries.
            access: await raceAbort(
              accessOf(services, principal, register !== undefined),
              signal,
              "the query",
            ),
            signal,
            ...(body.params !== undefined && { params: body.params }),
            ...(register !== undefined && { register }),
          }),
        piecesOf: (result) => resultBytes(result, { id, format, maxBytes: config.maxResultBytes }),
      });
    },
  });
}

/**
 * The tables that a query may read. In a source, SQL could also read tables that are not registered. Only administrators may
 * do that.
 */
async function accessOf(
  services: ServeServices,
  principal: Principal,
  isInSources: boolean,
): Promise<ReadonlySet<string> | null> {
  const access = await services.accessOf(principal);
  if (access !== null || !isInSources || principal.role === "admin") return access;
  return new Set((await services.workspace.catalog()).map(({ id }) => id));
}

function getQuery(): Route {
  return route({
    method: "get",
    path: "/api/queries/:id",
    operationId: "getQuery",
    tag: "queries",
    summary: "Return the state of a query, with its receipt or error",
    description: "For its caller and administrators, while it runs and for ten minutes after its end.",
    access: "signed_in",
    params: idParam,
    query: ownerQuery,
    responses: { 200: { description: "The state of the query", schema: queryStateBody } },
    errors: [404, 409],
    handle: ({ services, principal, params, query }) => {
      const wanted = { id: params.id, owner: query.principal };
      const record = services.queries.find(services.host, wanted, principal);
      return Response.json(hidePaths(stateOf(record), services.folders));
    },
  });
}

function stateOf({ id, state, startedAt, sentBytes, receipt, error }: QueryRecord) {
  return {
    query_id: id,
    state,
    started_at: startedAt.toISOString(),
    progress: { sent_bytes: sentBytes },
    receipt: receipt && sentReceipt(receipt),
    error,
  };
}

function cancelQuery(): Route {
  return route({
    method: "delete",
    path: "/api/queries/:id",
    operationId: "cancelQuery",
    tag: "queries",
    summary: "Cancel a query",
    description: "For its caller and administrators. A query that has ended stays as it is.",
    access: "signed_in",
    params: idParam,
    query: ownerQuery,
    responses: { 204: { description: "The query is stopped, or has ended before" } },
    errors: [404, 409],
    handle({ services, principal, params, query }) {
      const wanted = { id: params.id, owner: query.principal };
      services.queries.find(services.host, wanted, principal).cancel();
      return new Response(null, { status: 204 });
    },
  });
}

function listQueries(): Route {
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
        queries: services.queries.log(services.host, Number(query.limit ?? LOGGED)).map(entryOf),
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
