import { setImmediate } from "node:timers/promises";

import { storedName, toStoredFields, type RegisteredTable } from "../../tables/mod.ts";
import { route, type Route } from "../http/route.ts";
import { changeBy, changeOf, checkSource, withoutValues } from "./changes.ts";
import { etagOf, expectedVersion, taggedJson } from "./etag.ts";
import { discoveryRoutes } from "./routes-discovery.ts";
import { otherRegistryRoutes } from "./routes-other.ts";
import {
  docsChange,
  registeredBody,
  registeredTable,
  registryBody,
  registryQuery,
  tableChange,
  tablePath,
  updatedBody,
} from "./schemas.ts";
import { changeStatuses, registryStatuses } from "./statuses.ts";

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
    body: tableChange,
    responses: { 201: { description: "It is registered", schema: registeredBody } },
    errors: changeStatuses,
    async handle({ services, principal, body, request }) {
      checkSource(services, body.source, "body");
      const registry = await services.workspace.tables();
      const expected = expectedVersion(request, await registry.version());
      const write = registry.register(changeOf(body), changeBy(principal, expected));
      const { table } = await withoutValues(write);
      const { id, viewName, version } = table;
      return taggedJson({ id, name: viewName, status: "registered", version }, version, 201);
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
    responses: { 200: { description: "The tables, ordered by id", schema: registryBody } },
    errors: registryStatuses,
    async handle({ services, query }) {
      const registry = await services.workspace.tables();
      // Read first: with a later version, `If-Match` would miss changes that are not in the list.
      const version = await registry.version();
      const { source, text } = query;
      const filter = { ...(source !== undefined && { source }), ...(text !== undefined && { text }) };
      const tables = await registry.list(filter);
      const entries = new Map((await services.workspace.catalog()).map((entry) => [entry.id, entry]));
      const encoded: string[] = [];
      for (const [at, table] of tables.entries()) {
        if (at % SLICE === SLICE - 1) await setImmediate();
        const entry = entries.get(table.id);
        const state = {
          rows: entry?.rows ?? null,
          size_bytes: entry?.sizeBytes ?? null,
          extracted_at: entry?.extractedAt ?? null,
          last_sync: entry?.checkedAt ?? null,
        };
        encoded.push(JSON.stringify({ ...storedTable(table), ...state }));
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
    responses: { 200: { description: "The table; its ETag is its version", schema: registeredTable } },
    errors: registryStatuses,
    async handle({ services, params }) {
      const table = await (await services.workspace.tables()).find(params.id);
      return taggedJson(storedTable(table), table.version);
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
    body: tableChange,
    responses: { 200: { description: "The changed fields", schema: updatedBody } },
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
    body: docsChange,
    responses: { 200: { description: "The changed fields", schema: updatedBody } },
    errors: changeStatuses,
    handle: (input) => update(input, input.body),
  });
}

type Input = Parameters<typeof changeBy>[0];

async function update(
  {
    services,
    principal,
    params,
    request,
  }: {
    readonly services: Parameters<typeof checkSource>[0];
    readonly principal: Input;
    readonly params: { readonly id: string };
    readonly request: Request;
  },
  body: object,
): Promise<Response> {
  const registry = await services.workspace.tables();
  const found = await registry.find(params.id);
  const expected = expectedVersion(request, found.version);
  const write = registry.update(found.id, changeOf(body), changeBy(principal, expected));
  const { table, changed } = await withoutValues(write);
  const { id, version } = table;
  return taggedJson({ id, updated: changed.map(storedName), version }, version);
}

function unregisterRoute(): Route {
  return route({
    method: "delete",
    path: "/api/admin/registry/:id",
    operationId: "unregisterTable",
    tag: TAG,
    summary: "Unregister a table and remove its published data",
    access: "admin",
    params: tablePath,
    responses: { 204: { description: "It is unregistered, and its data is removed" } },
    errors: changeStatuses,
    async handle({ services, principal, params, request }) {
      const registry = await services.workspace.tables();
      const found = await registry.find(params.id);
      const expected = expectedVersion(request, found.version);
      const { failures } = await registry.unregister(found.id, changeBy(principal, expected));
      if (failures.length > 0) throw failures[0]!.cause;
      return new Response(null, { status: 204 });
    },
  });
}

function storedTable({ unread: _unread, ...table }: RegisteredTable): Readonly<Record<string, unknown>> {
  return toStoredFields(table);
}
