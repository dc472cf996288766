import { isAgnesError } from "../../base/mod.ts";
import { storedFigures } from "../../metadata/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { problemResponse } from "../http/problem.ts";
import { route, type Route } from "../http/route.ts";
import type { ServeServices } from "../services.ts";
import { refreshBody, runningBody, statusBody, tableQuery, tableRefreshBody } from "./schemas.ts";

const TAG = "metadata";
/** For callers with access to some tables only: the error of a source may name others. */
const HIDDEN_MESSAGE = "the last refresh failed";

/** The metadata cache of remote tables. */
export function metadataRoutes(): readonly Route[] {
  return [
    refreshRoute("/api/admin/metadata-refresh", "refreshMetadata"),
    // The path of an earlier system, which schedulers call.
    refreshRoute("/api/admin/run-bq-metadata-refresh", "runMetadataRefresh"),
    refreshTableRoute(),
    statusRoute(),
  ];
}

const running = { 409: { description: "A refresh is running; nothing else is needed", schema: runningBody } };
const errors = [404, 503, 507];

function refreshRoute(path: string, operationId: string): Route {
  return route({
    method: "post",
    path,
    operationId,
    tag: TAG,
    summary: "Refresh the metadata of all remote tables",
    description:
      "Returns when all tables were requested. It goes on if the client closes the connection. A failed table does not fail " +
      "the others.",
    access: "admin",
    isLong: true,
    responses: { 200: { description: "The counts", schema: refreshBody }, ...running },
    errors,
    handle: ({ services }) =>
      orRunning(services, async () => {
        const { runId, startedAt, total, succeeded, noData, failed, durationMs } =
          await services.workspace.metadata.refresh();
        return {
          run_id: runId,
          started_at: startedAt,
          total,
          succeeded,
          no_data: noData,
          failed,
          duration_ms: durationMs,
        };
      }),
  });
}

function refreshTableRoute(): Route {
  return route({
    method: "post",
    path: "/api/v2/metadata-cache/refresh",
    operationId: "refreshTableMetadata",
    tag: TAG,
    summary: "Refresh the metadata of one remote table",
    access: "admin",
    isLong: true,
    query: tableQuery,
    responses: { 200: { description: "The result", schema: tableRefreshBody }, ...running },
    errors,
    handle: ({ services, query }) =>
      orRunning(services, async () => {
        const found = await services.workspace.metadata.refreshTable(query.table);
        return {
          table_id: found.table,
          run_id: found.runId,
          status: found.status,
          error: found.error === null ? null : hidePaths(found.error.message, services.folders),
          error_code: found.error?.code ?? null,
          ...storedFigures(found.metadata),
          fetch_ms: found.fetchMs,
          total_ms: found.totalMs,
        };
      }),
  });
}

function statusRoute(): Route {
  return route({
    method: "get",
    path: "/api/v2/metadata-cache/status",
    operationId: "getMetadataStatus",
    tag: TAG,
    summary:
      "Return the cached metadata of the remote tables that the caller may access, and how current it is",
    description: "No source is called.",
    access: "signed_in",
    responses: { 200: { description: "The tables, by id", schema: statusBody } },
    errors: [503],
    async handle({ services, principal }) {
      const access = await services.accessOf(principal);
      const granted = access && new Set([...access].map((id) => id.toLowerCase()));
      const status = await services.workspace.metadata.status();
      const tables = status.tables.filter(
        ({ table }) => granted === null || granted.has(table.toLowerCase()),
      );
      return Response.json({
        scheduler_interval_seconds: status.intervalSeconds,
        fresh_threshold_seconds: status.freshSeconds,
        server_time: status.at,
        tables: tables.map(({ lastError, ...table }) => ({
          table_id: table.table,
          name: table.viewName,
          source: table.source,
          can_refresh: table.canRefresh,
          freshness: table.freshness,
          refreshed_at: table.refreshedAt,
          no_data_at: table.noDataAt,
          error_at: lastError?.at ?? null,
          error_code: lastError?.code ?? null,
          error_msg:
            lastError === null
              ? null
              : granted === null
                ? hidePaths(lastError.message, services.folders)
                : HIDDEN_MESSAGE,
          ...storedFigures(table.metadata),
        })),
      });
    },
  });
}

/** The result as JSON; while another refresh runs, its run as the earlier system returned it, besides the error. */
async function orRunning(services: ServeServices, work: () => Promise<object>): Promise<Response> {
  try {
    return Response.json(await work());
  } catch (error) {
    if (!isAgnesError(error, "already_running")) throw error;
    const body = (await problemResponse(error, services.folders).json()) as object;
    const { details, hint } = error;
    return Response.json(
      { ...body, reason: error.code, run_id: details.runId, started_at: details.startedAt, hint },
      { status: error.status },
    );
  }
}
