import { setImmediate } from "node:timers/promises";

import type { TableFilter } from "../../tables/mod.ts";
import { linksTo } from "../http/describe-route.ts";
import { hidePaths } from "../http/hide-paths.ts";
import { route, type Route } from "../http/route.ts";
import { changeOf, changeRegistry, changeTable, checkSource, writtenOf } from "./changes.ts";
import { etagHeader, etagOf, ifMatch, taggedJson } from "./etag.ts";
import { discoveryRoutes } from "./routes-discovery.ts";
import { otherRegistryRoutes } from "./routes-other.ts";
import {
  changedTable,
  changeQuery,
  docsChange,
  newTable,
  registeredBody,
  registeredTable,
  registryBody,
  registryQuery,
  tablePath,
  unregisteredBody,
  updatedBody,
  writeQuery,
} from "./schemas.ts";
import { changeStatuses, registryStatuses } from "./statuses.ts";
import { withStates } from "./table-state.ts";

const TAG = "registry";

/** `/api/admin/`: the table registry. */
export function registryRoutes(): readonly Route[] {
  return [
    registerRoute(),
    ...discoveryRoutes(),
    listRoute(),
    showRoute(),
    updateRoute(),
    docsRoute(),
    unregisterRoute(),
    ...otherRegistryRoutes(),
  ];
}

function registerRoute(): Route {
  return route({
    method: "post",
    path: "/api/admin/register-table",
    operationId: "registerTable",
    tag: TAG,
    summary: "Register a table",
    description: "`If-Match` takes the version of the registry.",
    access: "admin",
    headers: ifMatch,
    query: writeQuery,
    body: newTable,
    responses: {
      200: { description: "A dry run: nothing is registered", schema: registeredBody, headers: etagHeader },
      201: {
        description: "It is registered",
        schema: registeredBody,
        headers: etagHeader,
        links: linksTo(["getRegisteredTable", "updateTable", "updateTableDocs", "unregisterTable"], {
          id: "$response.body#/id",
        }),
      },
    },
    errors: changeStatuses,
    async handle(input) {
      const { services, body, query, request } = input;
      checkSource(services, body.source, "body");
      const write = await changeRegistry(input, (registry, options) =>
        registry.register(changeOf(body), options),
      );
      const { id, viewName, version } = write.table;
      const written = await writtenOf(services, write, { query, signal: request.signal });
      const status = write.dryRun ? "dry_run" : "registered";
      const response = { id, name: viewName, status, version, ...written };
      return taggedJson(response, version, write.dryRun ? 200 : 201);
    },
  });
}

/** How many tables are encoded before other requests get their turn. */
const SLICE = 200;

function listRoute(): Route {
  return route({
    method: "get",
    path: "/api/admin/registry",
    operationId: "listRegistry",
    tag: TAG,
    summary: "List the registered tables",
    access: "admin",
    query: registryQuery,
    responses: {
      200: {
        description: "The tables, ordered by id",
        schema: registryBody,
        headers: etagHeader,
        links: linksTo(["getRegisteredTable"], { id: "$response.body#/tables/0/id" }),
      },
    },
    errors: registryStatuses,
    async handle({ services, query }) {
      const registry = await services.workspace.tables();
      // Read first: with a later version, `If-Match` would miss changes that are not in the list.
      const version = await registry.version();
      const { mode, ...filter } = query;
      const queryMode = mode === undefined ? {} : { queryMode: mode };
      const tables = await registry.list({ ...(filter as TableFilter), ...queryMode });
      const withState = await withStates(services, tables);
      const encoded: string[] = [];
      for (const [at, table] of tables.entries()) {
        if (at % SLICE === SLICE - 1) await setImmediate();
        encoded.push(JSON.stringify(withState(table)));
      }
      const body = `{"version":${version},"count":${encoded.length},"tables":[${encoded.join(",")}]}`;
      const headers = { "content-type": "application/json", etag: etagOf(version) };
      return new Response(body, { headers });
    },
  });
}

function showRoute(): Route {
  return route({
    method: "get",
    path: "/api/admin/registry/:id",
    operationId: "getRegisteredTable",
    tag: TAG,
    summary: "Return the settings of a registered table",
    access: "admin",
    params: tablePath,
    responses: {
      200: {
        description: "The table; its ETag is its version",
        schema: registeredTable,
        headers: etagHeader,
      },
    },
    errors: registryStatuses,
    async handle({ services, params }) {
      const table = await (await services.workspace.tables()).find(params.id);
      return taggedJson((await withStates(services, [table]))(table), table.version);
    },
  });
}

function updateRoute(): Route {
  return route({
    method: "put",
    path: "/api/admin/registry/:id",
    operationId: "updateTable",
    tag: TAG,
    summary: "Change a registered table",
    description: "A missing field keeps its value, null resets it to its default.",
    access: "admin",
    params: tablePath,
    headers: ifMatch,
    query: writeQuery,
    body: changedTable,
    responses: { 200: { description: "The changed fields", schema: updatedBody, headers: etagHeader } },
    errors: changeStatuses,
    handle: (input) => update(input, input.body),
  });
}

function docsRoute(): Route {
  return route({
    method: "patch",
    path: "/api/admin/registry/:id/docs",
    operationId: "updateTableDocs",
    tag: TAG,
    summary: "Change the documentation of a registered table",
    description: "A missing field keeps its value, null resets it to its default.",
    access: "admin",
    params: tablePath,
    query: writeQuery,
    headers: ifMatch,
    body: docsChange,
    responses: { 200: { description: "The changed fields", schema: updatedBody, headers: etagHeader } },
    errors: changeStatuses,
    handle: (input) => update(input, input.body),
  });
}

async function update(
  input: Parameters<typeof changeTable>[0] & { readonly query: { readonly check_source: string } },
  body: object,
): Promise<Response> {
  const { services, query, request } = input;
  const write = await changeTable(input, (registry, id, options) =>
    registry.update(id, changeOf(body), options),
  );
  const { id, version } = write.table;
  const written = await writtenOf(services, write, { query, signal: request.signal });
  return taggedJson({ id, version, ...written }, version);
}

function unregisterRoute(): Route {
  return route({
    method: "delete",
    path: "/api/admin/registry/:id",
    operationId: "unregisterTable",
    tag: TAG,
    summary: "Unregister a table and remove its published data",
    access: "admin",
    isLong: true,
    params: tablePath,
    headers: ifMatch,
    query: changeQuery,
    responses: {
      200: { description: "A dry run, or it is unregistered with `failures`", schema: unregisteredBody },
      204: { description: "It is unregistered, and its data is removed" },
    },
    errors: changeStatuses,
    async handle(input) {
      const { dryRun, id, ...done } = await changeTable(input, async (registry, own, options) => ({
        ...(await registry.unregister(own, options)),
        id: own,
      }));
      if (!dryRun && done.failures.length === 0) return new Response(null, { status: 204 });
      const failures = done.failures.map(({ message }) => hidePaths(message, input.services.folders));
      return Response.json({ id, dry_run: dryRun, failures });
    },
  });
}
