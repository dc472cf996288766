import { AgnesError } from "../../base/mod.ts";
import type { Condition, EncodedResult } from "../../query/mod.ts";
import type { ServerConfig } from "../../workspace/mod.ts";
import { route, type Route } from "../http/route.ts";
import { CONTENT_TYPES } from "../query/formats.ts";
import { queryId, queryIdDescription, queryIdHeader, queryIdHeaders } from "../query/query-id.ts";
import { runQuery } from "../query/run-query.ts";
import type { ServeServices } from "../services.ts";
import { describeTable, findTable, type FoundTable } from "./find-table.ts";
import type { PublishedCatalog } from "./published-catalog.ts";
import { queryStatuses } from "./query-statuses.ts";
import { scanSql } from "./scan-sql.ts";
import { estimateBody, scanRequest } from "./schemas.ts";

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
      "It is never cut off: a failure after the first bytes breaks the connection, as does a result above " +
      "`server.maxScanBytes` or `server.maxRows`. The header X-Agnes-Query-Id is as for `POST /api/query`.",
    access: "signed_in",
    body: scanRequest,
    responses: { 200: { description: "The rows, as an Arrow IPC stream", types: [CONTENT_TYPES.arrow] } },
    errors: queryStatuses,
    headers: queryIdHeader,
    headersOf: queryIdHeaders,
    commonHeaders: queryIdDescription,
    async handle({ services, principal, body, request, requestId }) {
      const { config, workspace } = services;
      const id = queryId(request, requestId);
      const found = await findTable(services, catalog, { principal, id: body.table_id });
      const table = await describeTable(services, found, request.signal);
      const { sql } = await scanSql(table, body, conditions(services, found, request.signal));
      return runQuery(services, {
        id,
        principal,
        text: sql,
        contentType: CONTENT_TYPES.arrow,
        request,
        requestId,
        encode: (signal) =>
          workspace.encodeQuery({
            ...found.caller,
            // Only the scanned table: the SQL names no other.
            access: new Set([found.listed.entry.id]),
            sql,
            format: "arrow",
            limits: { maxRows: config.maxRows, timeoutMs: config.queryTimeoutMs },
            signal,
          }),
        piecesOf: (result) => wholeBytes(result, config),
      });
    },
  });
}

/** The bytes of a scan, which is never cut off. @throws `scan_too_large` */
async function* wholeBytes(
  result: EncodedResult,
  { maxScanBytes, maxRows }: ServerConfig,
): AsyncGenerator<Uint8Array, void, void> {
  let sizeBytes = 0;
  for await (const piece of result.bytes) {
    sizeBytes += piece.length;
    if (sizeBytes > maxScanBytes) throw new AgnesError("scan_too_large", { max: maxScanBytes, unit: "byte" });
    yield piece;
  }
  if (result.receipt().truncated) throw new AgnesError("scan_too_large", { max: maxRows, unit: "row" });
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
      const { columns } = await scanSql(table, body, conditions(services, found, request.signal));
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

/** Checks conditions on behalf of a caller. */
function conditions({ workspace }: ServeServices, { caller }: FoundTable, signal: AbortSignal) {
  return (condition: Condition) => workspace.withCondition({ ...condition, ...caller, signal });
}
