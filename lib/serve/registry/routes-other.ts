import { storedChange, type TableRegistry } from "../../tables/mod.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import { changeRegistry } from "./changes.ts";
import { etagHeader, ifMatch, taggedJson } from "./etag.ts";
import {
  changedFoldersBody,
  changeQuery,
  foldersBody,
  foldersChange,
  historyBody,
  historyQuery,
  rebuildBody,
} from "./schemas.ts";
import { changeStatuses, registryStatuses } from "./statuses.ts";

const TAG = "registry";

/** The history, the folder mapping, and the rebuild of the published tables. */
export function otherRegistryRoutes(): readonly Route[] {
  return [rebuildRoute(), historyRoute(), foldersRoute(), setFoldersRoute()];
}

function rebuildRoute(): Route {
  return route({
    method: "post",
    path: "/api/admin/registry/rebuild",
    operationId: "rebuild",
    tag: TAG,
    summary: "Build the published tables again from the extracts",
    access: "admin",
    isLong: true,
    responses: { 200: { description: "The report", schema: rebuildBody } },
    errors: [409, 499, 503, 507],
    async handle({ services, request }) {
      const report = await services.workspace.rebuild({ signal: request.signal });
      const { generation, finishedAt, published, skipped, errors, conflicts } = report;
      return Response.json({
        generation,
        finished_at: finishedAt,
        published: published.map(({ id, viewName, accessMode }) => ({
          id,
          view_name: viewName,
          access_mode: accessMode,
        })),
        skipped: hidePaths(skipped, services.folders),
        errors: hidePaths(errors, services.folders),
        conflicts,
      });
    },
  });
}

function historyRoute(): Route {
  return route({
    method: "get",
    path: "/api/admin/history",
    operationId: "getHistory",
    tag: TAG,
    summary: "List the changes of the registry, the newest first",
    access: "admin",
    query: historyQuery,
    responses: { 200: { description: "The changes", schema: historyBody, headers: etagHeader } },
    errors: registryStatuses,
    async handle({ services, query }) {
      const registry = await services.workspace.tables();
      const version = await registry.version();
      const changes = await registry.history({
        first: "newest",
        limit: Number(query.limit ?? 50),
        ...(query.from !== undefined && { from: Number(query.from) }),
        ...(query.id !== undefined && { id: await idOf(services.workspace, query.id) }),
      });
      return taggedJson({ version, changes: changes.map(storedChange) }, version);
    },
  });
}

/** Resolves a view name to an id. An unregistered table has only its id. */
async function idOf(
  workspace: { tables(): Promise<{ find(name: string): Promise<{ readonly id: string }> }> },
  name: string,
): Promise<string> {
  return name.includes(".") ? name : (await (await workspace.tables()).find(name)).id;
}

function foldersRoute(): Route {
  return route({
    method: "get",
    path: "/api/admin/folders",
    operationId: "getFolders",
    tag: TAG,
    summary: "Return the folder of each bucket",
    access: "admin",
    responses: { 200: { description: "The folders", schema: foldersBody, headers: etagHeader } },
    errors: registryStatuses,
    handle: async ({ services }) => foldersOf(await services.workspace.tables()),
  });
}

function setFoldersRoute(): Route {
  return route({
    method: "put",
    path: "/api/admin/folders",
    operationId: "setFolders",
    tag: TAG,
    summary: "Change the folders of buckets",
    description: "All changes are made, or none. `If-Match` takes the version of the registry.",
    access: "admin",
    headers: ifMatch,
    query: changeQuery,
    body: foldersChange,
    responses: { 200: { description: "All folders", schema: changedFoldersBody, headers: etagHeader } },
    errors: changeStatuses,
    handle: (input) =>
      changeRegistry(input, async (registry, options) => {
        const { folder_mapping: folders } = input.body;
        const earlier = await registry.setFolders(folders, options);
        const before = Object.fromEntries(
          Object.keys(folders).map((bucket) => [bucket, earlier.get(bucket) ?? null]),
        );
        return foldersOf(registry, { dry_run: options.dryRun === true, before });
      }),
  });
}

/** All folders. A later version would hide changes from `If-Match`, so it is read first. */
async function foldersOf(registry: TableRegistry, more: object = {}): Promise<Response> {
  const version = await registry.version();
  return taggedJson({ version, folder_mapping: await registry.folders(), ...more }, version);
}
