import { linksTo } from "../http/describe-route.ts";
import { route, type Route } from "../http/route.ts";
import { atMost } from "../query/limits.ts";
import { ID_HEADER, queryId, queryIdDescription, queryIdHeader, queryIdHeaders } from "../query/query-id.ts";
import { startQuery } from "../query/start-query.ts";
import { sourceStatuses } from "../registry/statuses.ts";
import { pushBody, pushedBody } from "./schemas.ts";

/** Rows of a query that are written to a source. */
export function pushRoutes(): readonly Route[] {
  return [pushRoute()];
}

function pushRoute(): Route {
  return route({
    method: "post",
    path: "/api/admin/push",
    operationId: "pushRows",
    tag: "queries",
    summary: "Write the rows of one SELECT to a table of a source",
    description: [
      "The plugin of the source must be able to write, and the options of the source must allow it. Names, types and keys of",
      "the rows are checked before any row is written. The SELECT is a query with an id, as that of `POST /api/query`: it is in",
      "the log of queries, and it is stopped if it is cancelled or the client closes the connection. `server.maxRows` and",
      "`server.maxResultBytes` do not apply, since the client gets no rows.",
    ].join(" "),
    access: "admin",
    headers: queryIdHeader,
    body: pushBody,
    responses: {
      200: {
        description: "What was written, or in a dry run would be",
        schema: pushedBody,
        links: linksTo(["getQuery", "cancelQuery"], { id: `$response.header.${ID_HEADER}` }),
      },
    },
    errors: sourceStatuses,
    headersOf: queryIdHeaders,
    commonHeaders: queryIdDescription,
    async handle({ services, principal, body, request, requestId }) {
      const { config, workspace } = services;
      const { table, sql, mode, source, params, dry_run: dryRun = false } = body;
      const timeoutMs = atMost("timeout_ms", body.timeout_ms, config.queryTimeoutMs) ?? config.queryTimeoutMs;
      const access = await services.accessOf(principal);
      const id = queryId(request, requestId);
      const { signal, end } = startQuery(services, { id, principal, text: sql, request, requestId });
      try {
        const report = await workspace.push({
          table,
          sql,
          mode,
          dryRun,
          timeoutMs,
          principal: principal.id,
          access,
          signal,
          ...(source !== undefined && { source }),
          ...(params !== undefined && { params }),
        });
        end(null, { rows: report.rows });
        const { dryRun: dry_run, ...written } = report;
        return Response.json({ ...written, dry_run });
      } catch (error) {
        end(error);
        throw error;
      }
    },
  });
}
