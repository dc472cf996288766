import { AgnesError } from "../../base/mod.ts";
import { route, type Route } from "../http/route.ts";
import { streamResponse } from "../http/stream-response.ts";
import { describeTable, findTable } from "./find-table.ts";
import type { PublishedCatalog } from "./published-catalog.ts";
import { queryStatuses } from "./query-statuses.ts";
import { scanSql } from "./scan-sql.ts";
import { estimateBody, scanRequest } from "./schemas.ts";

const ARROW = "application/vnd.apache.arrow.stream";

/** `POST /api/v2/scan` and its estimate. */
export function scanRoutes(catalog: PublishedCatalog): readonly Route[] {
  return [scanRoute(catalog), estimateRoute(catalog)];
}

function scanRoute(catalog: PublishedCatalog): Route {
  return route({
    method: "post",
    path: "/api/v2/scan",
    operationId: "scanTable",
    tag: "catalog",
    summary: "Return rows of one table as an Arrow stream",
    description:
      "A failure after the first bytes, and a result above `server.maxScanBytes`, break the connection.",
    access: "signed_in",
    body: scanRequest,
    responses: { 200: { description: "The rows, as an Arrow IPC stream", types: [ARROW] } },
    errors: queryStatuses,
    async handle({ services, principal, body, request }) {
      const { signal } = request;
      const found = await findTable(services, catalog, { principal, id: body.table_id });
      const { sql } = await scanSql(services.host, await describeTable(services, found, signal), body);
      // Only the scanned table: the SQL names no other.
      const caller = { ...found.caller, access: new Set([found.listed.entry.id]) };
      const result = await services.workspace.encodeQuery({ ...caller, sql, format: "arrow", signal });
      const maxBytes = services.config.maxScanBytes;
      return streamResponse(result.bytes, {
        headers: { "content-type": ARROW },
        checkSize(sizeBytes) {
          if (sizeBytes > maxBytes) throw new AgnesError("scan_too_large", { maxBytes });
        },
      });
    },
  });
}

function estimateRoute(catalog: PublishedCatalog): Route {
  return route({
    method: "post",
    path: "/api/v2/scan/estimate",
    operationId: "estimateScan",
    tag: "catalog",
    summary: "Estimate a scan without running it",
    access: "signed_in",
    body: scanRequest,
    responses: { 200: { description: "The estimate", schema: estimateBody } },
    errors: queryStatuses,
    async handle({ services, principal, body, request }) {
      const found = await findTable(services, catalog, { principal, id: body.table_id });
      const table = await describeTable(services, found, request.signal);
      const { columns } = await scanSql(services.host, table, body);
      const { rows, sizeBytes } = found.listed.entry;
      const share = columns / Math.max(1, table.schema.length);
      const scanBytes = sizeBytes === null ? null : Math.ceil(sizeBytes * share);
      const resultRows = rows === null ? (body.limit ?? null) : Math.min(rows, body.limit ?? rows);
      const isKnown = scanBytes !== null && rows !== null && resultRows !== null;
      return Response.json({
        table_id: table.id,
        engine: "duckdb",
        estimated_scan_bytes: scanBytes,
        estimated_result_rows: resultRows,
        estimated_result_bytes: isKnown ? Math.ceil((scanBytes * resultRows) / Math.max(1, rows)) : null,
        bq_cost_estimate_usd: null,
      });
    },
  });
}
