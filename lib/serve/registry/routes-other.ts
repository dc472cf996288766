import { storedChange } from "../../tables/mod.ts";
import { route, type Route } from "../http/route.ts";
import { changeBy, withoutValues } from "./changes.ts";
import { expectedVersion, taggedJson } from "./etag.ts";
import { foldersBody, foldersChange, historyBody, historyQuery, rebuildBody } from "./schemas.ts";
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
        skipped,
        errors,
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
    responses: { 200: { description: "The changes", schema: historyBody } },
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
    responses: { 200: { description: "The folders", schema: foldersBody } },
    errors: registryStatuses,
    async handle({ services }) {
      const registry = await services.workspace.tables();
      const version = await registry.version();
      return taggedJson({ version, folder_mapping: await registry.folders() }, version);
    },
  });
}

function setFoldersRoute(): Route {
  return route({
    method: "put",
    path: "/api/admin/folders",
    operationId: "setFolders",
    tag: TAG,
    summary: "Change the folders of buckets",
    description: "`If-Match` takes the version of the registry.",
    access: "admin",
    body: foldersChange,
    responses: { 200: { description: "All folders", schema: foldersBody } },
    errors: changeStatuses,
    async handle({ services, principal, body, request }) {
      const registry = await services.workspace.tables();
      const changes = Object.entries(body.folder_mapping);
      const expected = expectedVersion(request, await registry.version());
      // All are checked before the first is written.
      for (const dryRun of [true, false]) {
        for (const [at, [bucket, folder]] of changes.entries()) {
          const options = { ...changeBy(principal, at === 0 || dryRun ? expected : undefined), dryRun };
          await withoutValues(registry.setFolder(bucket, folder, options));
        }
      }
      const version = await registry.version();
      return taggedJson({ version, folder_mapping: await registry.folders() }, version);
    },
  });
}
