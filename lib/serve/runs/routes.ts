import { AgnesError } from "../../base/mod.ts";
import { storedRun, storedSyncStatus, type TableSyncStatus } from "../../sync/mod.ts";
import type { Principal } from "../auth/principal.ts";
import { storedHealth } from "../health/source-health.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import { checkSource } from "../registry/changes.ts";
import { timelineRoute } from "./routes-timeline.ts";
import { eventResponse } from "./events.ts";
import type { ServedWorkspace } from "../workspace.ts";
import {
  runBody,
  runPath,
  runsBody,
  runsQuery,
  syncStatusBody,
  triggerBody,
  triggeredBody,
  triggerQuery,
} from "./schemas.ts";

const TAG = "syncs";
/** The errors of the state on disk. */
const STATE = [503];

/** The runs of the sources, and what is due. */
export function runRoutes(): readonly Route[] {
  return [listRuns(), getRun(), watchRun(), getSyncStatus(), timelineRoute(), triggerSync()];
}

function listRuns(): Route {
  return route({
    method: "get",
    path: "/api/runs",
    operationId: "listRuns",
    tag: TAG,
    summary: "List the runs of the sources, the newest first",
    description:
      "By the server, its schedule, and other processes of the workspace. The last 1,000 are kept.",
    access: "admin",
    query: runsQuery,
    responses: { 200: { description: "The runs", schema: runsBody } },
    errors: STATE,
    async handle({ services, query }) {
      const { source, limit = "50" } = query;
      if (source !== undefined) checkSource(services, source, "query string");
      const runs = await services.workspace.runs();
      const found = await runs.list({ limit: Number(limit), ...(source !== undefined && { source }) });
      return Response.json(hidePaths({ runs: found.map(storedRun) }, services.folders));
    },
  });
}

function getRun(): Route {
  return route({
    method: "get",
    path: "/api/runs/:id",
    operationId: "getRun",
    tag: TAG,
    summary: "Return a run, with its progress while it runs",
    access: "admin",
    params: runPath,
    responses: { 200: { description: "The run", schema: runBody } },
    errors: [404, ...STATE],
    async handle({ services, params }) {
      const run = await (await services.workspace.runs()).get(params.id);
      return Response.json(hidePaths(storedRun(run), services.folders));
    },
  });
}

function watchRun(): Route {
  return route({
    method: "get",
    path: "/api/runs/:id/events",
    operationId: "watchRun",
    tag: TAG,
    summary: "Follow a run by server-sent events",
    description:
      "Each event `run` has the run as JSON, as `GET /api/runs/{id}`, at most two in a second. The stream ends with the event of the ended run, or with that of the running one when the server ends.",
    access: "admin",
    params: runPath,
    responses: { 200: { description: "The events", types: ["text/event-stream"] } },
    errors: [404, ...STATE],
    async handle({ services, params, request }) {
      const runs = await services.workspace.runs();
      const read = async () => {
        const run = await runs.get(params.id);
        return {
          json: JSON.stringify(hidePaths(storedRun(run), services.folders)),
          isOver: run.status !== "running",
        };
      };
      const { host, ending } = services;
      return eventResponse(await read(), read, { host, ending, signal: request.signal });
    },
  });
}

function getSyncStatus(): Route {
  return route({
    method: "get",
    path: "/api/sync/status",
    operationId: "getSyncStatus",
    tag: TAG,
    summary: "Return the state of each granted table that is synced",
    access: "signed_in",
    responses: { 200: { description: "The state of the tables", schema: syncStatusBody } },
    errors: STATE,
    async handle({ services, principal }) {
      const { workspace, host, syncs } = services;
      const access = await services.accessOf(principal);
      const tables = await workspace.syncStatus({ access });
      const body = {
        locked: access === null ? await isAnyRunning(workspace) : tables.some(isRunning),
        scheduler: syncs.scheduler,
        tables: tables.map((table) => statusFor(principal, table)),
        sources: (await workspace.health.last())
          .filter(({ source }) => access === null || tables.some((table) => table.source === source))
          .map((health) => ({
            name: health.source,
            health: storedHealth(health, { isAdmin: principal.role === "admin", access }),
          })),
        server_time: host.now().toISOString(),
      };
      return Response.json(hidePaths(body, services.folders));
    },
  });
}

async function isAnyRunning(workspace: ServedWorkspace): Promise<boolean> {
  return (await (await workspace.runs()).running()).size > 0;
}

const isRunning = ({ status }: TableSyncStatus) => status === "running";

/** Errors may have values of columns and tables that were not granted. */
function statusFor({ role }: Principal, table: TableSyncStatus) {
  const stored = storedSyncStatus(table);
  if (role === "admin" || stored.error === null) return stored;
  const { code } = stored.error;
  return { ...stored, error: { code, message: "the last sync failed", hint: "Ask an administrator." } };
}

function triggerSync(): Route {
  return route({
    method: "post",
    path: "/api/sync/trigger",
    operationId: "triggerSync",
    tag: TAG,
    summary: "Begin to sync sources or tables",
    description:
      "Returns when the first run has begun. 409 if a sync uses one of the sources; `details` has who requested it, when, and its run; `runIds` are the runs before that of a source that waits for its turn. A scheduler outside may take 409 for success.",
    access: "admin",
    query: triggerQuery,
    body: triggerBody,
    responses: { 200: { description: "What began", schema: triggeredBody } },
    errors: [404, 409, 507, ...STATE],
    async handle({ services, principal, query, body }) {
      const { source } = query;
      if (source !== undefined) checkSource(services, source, "query string");
      const { tables, full = false } = body;
      if (source !== undefined && tables !== undefined) {
        const reason = "it cannot be used together with tables in the body";
        throw new AgnesError("request_invalid", { part: "query string", field: "source", reason });
      }
      const only = tables ?? (source === undefined ? undefined : [source]);
      const { sources, runs } = await services.syncs.begin({
        only,
        full,
        trigger: "http",
        actor: `${principal.name} (${principal.id})`,
      });
      return Response.json({
        status: "triggered",
        sources,
        tables: tables ?? null,
        job_id: runs[0]?.id ?? null,
        runs,
      });
    },
  });
}
