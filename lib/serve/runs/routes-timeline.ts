import * as v from "valibot";

import { storedTimelineEntry, type TimelineEntry } from "../../sync/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import { checkSource } from "../registry/changes.ts";
import { limitQuery, runStatus } from "./schemas.ts";

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(400));
const textOrNull = v.nullable(v.string());

const timelineQuery = v.strictObject({
  table: v.optional(
    v.pipe(
      name,
      v.description("Only the events of this table, by the id or view name that it has, or last had"),
    ),
  ),
  source: v.optional(v.pipe(name, v.description("Only the events of this source"))),
  limit: limitQuery("events"),
  before: v.optional(
    v.pipe(v.string(), v.maxLength(2000), v.description("`next` of the last page, for older events")),
  ),
});

const timelineBody = v.object({
  entries: v.array(
    v.object({
      id: v.string(),
      at: v.string(),
      kind: v.picklist(["run", "schema_change", "registry_change", "rollback"]),
      source: textOrNull,
      table: v.pipe(textOrNull, v.description("The id of the table; null: a whole source, or a folder")),
      summary: v.pipe(v.string(), v.description("What happened, as one line")),
      actor: v.pipe(textOrNull, v.description("For administrators")),
      run_id: textOrNull,
      status: v.nullable(runStatus),
      error: v.pipe(
        v.nullable(v.object({ code: v.string(), message: v.string(), hint: v.string() })),
        v.description("For administrators"),
      ),
      version: v.pipe(
        v.nullable(v.number()),
        v.description("The version of the registry, for callers with access to all tables"),
      ),
      generation: v.pipe(v.nullable(v.number()), v.description("The generation that was published")),
    }),
  ),
  next: v.pipe(textOrNull, v.description("`before` of the next page; null: there are no older events")),
});

/** `GET /api/timeline`. */
export function timelineRoute(): Route {
  return route({
    method: "get",
    path: "/api/timeline",
    operationId: "getTimeline",
    tag: "syncs",
    summary: "List runs, changes of columns, changes of the registry and rollbacks, the newest first",
    description:
      "Of the granted tables: the last 1,000 runs, the last 10,000 changes of the registry, and the rollbacks whose generation is kept.",
    access: "signed_in",
    query: timelineQuery,
    responses: { 200: { description: "A page of events", schema: timelineBody } },
    errors: [404, 503],
    async handle({ services, principal, query }) {
      const { limit = "50", source, table, before } = query;
      const isAdmin = principal.role === "admin";
      if (source !== undefined && isAdmin) checkSource(services, source, "query string");
      const { entries, next } = await services.workspace.timeline({
        limit: Number(limit),
        access: await services.accessOf(principal),
        ...(source !== undefined && { source }),
        ...(table !== undefined && { table }),
        ...(before !== undefined && { before }),
      });
      const shown = isAdmin ? entries : entries.map(withoutDetails);
      return Response.json(hidePaths({ entries: shown.map(storedTimelineEntry), next }, services.folders));
    },
  });
}

/** Errors may have values of columns that were not granted, and actors are names of users. */
function withoutDetails(entry: TimelineEntry): TimelineEntry {
  return { ...entry, actor: null, error: null };
}
