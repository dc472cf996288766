import { isKnown } from "../http/conditions.ts";
import { route, type Route } from "../http/route.ts";
import { tablePath } from "../http/schemas.ts";
import { accessibleTable, accessibleTables, subscriptionOf } from "./caller.ts";
import { checkDownloadable, findPart } from "./find-part.ts";
import { manifestOf } from "./manifests.ts";
import { openPart } from "./open-part.ts";
import { PARQUET_TYPE, partResponse } from "./part-response.ts";
import { subscriptionRoutes } from "./routes-subscriptions.ts";
import { downloadQuery, ifNoneMatch, manifestBody, rangeHeaders } from "./schemas.ts";

const TAG = "distribution";
/** The statuses of the errors of a table that cannot be downloaded. */
const TABLE_STATUSES = [403, 404, 409, 503];

/** Copies of tables: what there is, and its bytes. */
export function distributionRoutes(): readonly Route[] {
  return [manifestRoute(), downloadRoute(), checkAccessRoute(), ...subscriptionRoutes()];
}

function manifestRoute(): Route {
  return route({
    method: "get",
    path: "/api/sync/manifest",
    operationId: "getManifest",
    tag: TAG,
    summary: "List the tables that the caller subscribes to, with their parts and hashes",
    description:
      'Each part is a Parquet file. The list may have hundreds of megabytes; each table is a line of it, after a first line that ends with `"tables":{`. A part that a later sync replaced can still be downloaded for `grace_seconds`.',
    access: "signed_in",
    headers: ifNoneMatch,
    responses: {
      200: {
        description: "The tables",
        schema: manifestBody,
        headers: { ETag: "Changes when anything but `server_time` and the generations does" },
      },
      304: { description: "The tables have not changed", headers: { ETag: "The same ETag" } },
    },
    errors: [503, 507],
    async handle({ services, principal, request }) {
      const tables = await accessibleTables(services, principal);
      const { subscription, includes } = await subscriptionOf(services, principal);
      const manifest = manifestOf(tables.filter(includes), subscription.tableMode);
      const headers = { etag: manifest.etag, "cache-control": "private, no-cache" };
      if (isKnown(request.headers.get("if-none-match"), manifest.etag))
        return new Response(null, { status: 304, headers });
      return new Response(streamOf(manifest.pieces(services.host.now().toISOString())), {
        headers: { ...headers, "content-type": "application/json" },
      });
    },
  });
}

/** A piece is made when the client has taken the one before it. */
function streamOf(pieces: Iterator<string, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const { done, value } = pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
    },
    { highWaterMark: 0 },
  );
}

const PART_HEADERS = {
  ETag: "The SHA-256 of the part, in quotes",
  "Accept-Ranges": "`bytes`",
  "Repr-Digest": "The SHA-256 of the part, as `sha-256=:BASE64:`",
};

function downloadRoute(): Route {
  return route({
    method: "get",
    path: "/api/data/:id/download",
    operationId: "downloadPart",
    tag: TAG,
    summary: "Download a part of a table, or a range of it",
    description:
      "410 if the part was replaced and is not kept any more: then get a new manifest. A failure after the first bytes breaks the connection.",
    access: "signed_in",
    params: tablePath,
    query: downloadQuery,
    headers: rangeHeaders,
    responses: {
      200: { description: "The whole part", types: [PARQUET_TYPE], headers: PART_HEADERS },
      206: {
        description: "The requested range",
        types: [PARQUET_TYPE],
        headers: { ...PART_HEADERS, "Content-Range": "`bytes FIRST-LAST/SIZE`" },
      },
      304: { description: "The part has this ETag", headers: PART_HEADERS },
    },
    errors: [...TABLE_STATUSES, 410, 416],
    async handle({ services, principal, params, query, request, requestId }) {
      const { manifests, host, log, config } = services;
      const table = await accessibleTable(services, principal, params.id);
      checkDownloadable(table);
      const generation = query.generation === undefined ? undefined : Number(query.generation);
      const found = await findPart(manifests.extracts, table, { part: query.part, generation });
      const place = { directory: manifests.extracts.directoryOf(table.source), table: table.id };
      return partResponse(request, await openPart(host.files, place, found), {
        table: table.id,
        stalledMs: config.stalledMs,
        onFailed: (error) => log.warn("a download failed", { requestId, table: table.id, error }),
      });
    },
  });
}

function checkAccessRoute(): Route {
  return route({
    method: "get",
    path: "/api/data/:id/check-access",
    operationId: "checkDownload",
    tag: TAG,
    summary: "Check whether the caller may download a table",
    access: "signed_in",
    params: tablePath,
    responses: { 204: { description: "The table can be downloaded" } },
    errors: TABLE_STATUSES,
    async handle({ services, principal, params }) {
      checkDownloadable(await accessibleTable(services, principal, params.id));
      return new Response(null, { status: 204 });
    },
  });
}
