import { Buffer } from "node:buffer";

import { encodeResult } from "../../duckdb/mod.ts";
import { toStoredFields } from "../../tables/mod.ts";
import { subscribedIds } from "../distribution/caller.ts";
import { linksTo } from "../http/describe-route.ts";
import { route, type Route } from "../http/route.ts";
import { tablePath } from "../http/schemas.ts";
import { sentStaleReason } from "../http/stale-reason.ts";
import { describeTable, findTable } from "./find-table.ts";
import { accessTest, PublishedCatalog } from "./published-catalog.ts";
import { queryStatuses } from "./query-statuses.ts";
import { scanRoutes } from "./routes-scan.ts";
import { catalogBody, sampleBody, sampleQuery, schemaBody } from "./schemas.ts";

/** `/api/v2/`: the published tables. */
export function catalogRoutes(): readonly Route[] {
  const catalog = new PublishedCatalog();
  return [catalogRoute(catalog), schemaRoute(catalog), sampleRoute(catalog), ...scanRoutes(catalog)];
}

function catalogRoute(catalog: PublishedCatalog): Route {
  return route({
    method: "get",
    path: "/api/v2/catalog",
    operationId: "getCatalog",
    tag: "catalog",
    summary: "List the published tables that the caller may access",
    access: "signed_in",
    responses: {
      200: {
        description: "The tables, ordered by name",
        schema: catalogBody,
        links: linksTo(["getSchema", "getSample"], { id: "$response.body#/tables/0/id" }),
      },
    },
    errors: [503, 507],
    async handle({ services, principal }) {
      const mayAccess = accessTest(await services.accessOf(principal));
      const { tables } = await catalog.read(services);
      const subscribed = await subscribedIds(services, principal);
      const listed = tables.filter(mayAccess).map(({ entry: { id }, json }) => {
        return `${json.slice(0, -1)},"subscribed":${subscribed === null || subscribed.has(id)}}`;
      });
      const time = JSON.stringify(services.host.now().toISOString());
      return jsonResponse(`{"tables":[${listed.join(",")}],"server_time":${time}}`);
    },
  });
}

function schemaRoute(catalog: PublishedCatalog): Route {
  return route({
    method: "get",
    path: "/api/v2/schema/:id",
    operationId: "getSchema",
    tag: "catalog",
    summary: "Describe the columns of a table",
    access: "signed_in",
    params: tablePath,
    responses: { 200: { description: "The table", schema: schemaBody } },
    errors: queryStatuses,
    async handle({ services, principal, params, request }) {
      const found = await findTable(services, catalog, { principal, id: params.id });
      const { documentation, ...table } = await describeTable(services, found, request.signal);
      return Response.json({
        table_id: table.id,
        name: table.name,
        description: table.description,
        source: table.source,
        source_type: found.listed.sourceType,
        sql_flavor: "duckdb",
        query_mode: table.mode,
        access_mode: table.accessMode,
        rows: table.rows,
        size_bytes: table.sizeBytes,
        extracted_at: table.extractedAt,
        stale_reason: sentStaleReason(table.staleReason),
        columns: table.schema,
        primary_key: table.primaryKey,
        partition_by: found.listed.partitionBy,
        foreign_keys: table.foreignKeys,
        ...toStoredFields({ documentation, sourceMetadata: table.sourceMetadata }),
        read_as: table.readAs,
      });
    },
  });
}

function sampleRoute(catalog: PublishedCatalog): Route {
  return route({
    method: "get",
    path: "/api/v2/sample/:id",
    operationId: "getSample",
    tag: "catalog",
    summary: "Return the first rows of a table",
    access: "signed_in",
    params: tablePath,
    query: sampleQuery,
    responses: { 200: { description: "The rows", schema: sampleBody } },
    errors: queryStatuses,
    async handle({ services, principal, params, query, request }) {
      const { listed, caller } = await findTable(services, catalog, { principal, id: params.id });
      const { id, source } = listed.entry;
      const options = { ...caller, signal: request.signal };
      const result = await services.workspace.sample(id, Number(query.n ?? 5), options);
      const pieces: Uint8Array[] = [];
      try {
        const { files } = services.host;
        for await (const piece of encodeResult(result, "json", { files })) pieces.push(piece);
      } finally {
        await result.close();
      }
      const rows = Buffer.concat(pieces).toString();
      return jsonResponse(
        `{"table_id":${JSON.stringify(id)},"source":${JSON.stringify(source)},"rows":${rows.trim()}}`,
      );
    },
  });
}

function jsonResponse(body: string): Response {
  return new Response(body, { headers: { "content-type": "application/json" } });
}
