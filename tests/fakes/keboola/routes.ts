import { callOf, type ApiCall, type ApiContext } from "./api.ts";
import { ApiError } from "./errors.ts";
import { fileDetail, prepareFile, refreshFile } from "./file-calls.ts";
import { pollJob, startExport, startImport } from "./job-calls.ts";
import {
  bucketDetail,
  index,
  listBranches,
  listBuckets,
  listBucketTables,
  listTables,
  previewTable,
  tableDetail,
  verifyToken,
} from "./list-calls.ts";
import {
  columnMetadata,
  removeColumnMetadata,
  setColumnMetadata,
  setTableMetadata,
} from "./metadata-calls.ts";
import type { KeboolaStep } from "./script.ts";

type Handler = (call: ApiCall) => Response | Promise<Response>;

/** A call of the API: a method, a path below `/v2/storage` or a branch, what it is, and who answers. */
type ApiRoute = readonly [method: string, path: RegExp, step: KeboolaStep, handler: Handler];

const ROUTES: readonly ApiRoute[] = [
  ["GET", /^\/tokens\/verify$/, "verify", verifyToken],
  ["GET", /^\/dev-branches\/?$/, "branches", listBranches],
  ["GET", /^\/buckets\/?$/, "buckets", listBuckets],
  ["GET", /^\/buckets\/([^/]+)$/, "bucket", bucketDetail],
  ["GET", /^\/buckets\/([^/]+)\/tables$/, "bucket tables", listBucketTables],
  ["GET", /^\/tables\/?$/, "tables", listTables],
  ["GET", /^\/tables\/([^/]+)$/, "table", tableDetail],
  ["GET", /^\/tables\/([^/]+)\/data-preview\/?$/, "preview", previewTable],
  ["POST", /^\/tables\/([^/]+)\/export-async$/, "export", startExport],
  ["POST", /^\/tables\/([^/]+)\/import-async$/, "import", startImport],
  ["POST", /^\/tables\/([^/]+)\/metadata$/, "metadata", setTableMetadata],
  ["GET", /^\/columns\/([^/]+)\/metadata$/, "metadata", columnMetadata],
  ["POST", /^\/columns\/([^/]+)\/metadata$/, "metadata", setColumnMetadata],
  ["DELETE", /^\/columns\/([^/]+)\/metadata\/(\d+)$/, "metadata", removeColumnMetadata],
  ["GET", /^\/jobs\/(\d+)$/, "job", pollJob],
  ["POST", /^\/files\/prepare$/, "prepare", prepareFile],
  ["GET", /^\/files\/(\d+)$/, "file", fileDetail],
  ["PUT", /^\/files\/(\d+)\/refresh$/, "file", refreshFile],
];

/** A request to the stack, with what it asks for. */
export interface ApiRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
}

/** What a request asks for, and how to answer it. */
export interface FoundCall {
  readonly step: KeboolaStep;
  /** The id in the path, as of a job. */
  readonly id: string | undefined;
  readonly answer: (context: ApiContext) => Promise<Response>;
}

/** Finds the call of a request; the index needs no token. */
export function findCall(request: ApiRequest, jobPath: (path: string) => string): FoundCall {
  const path = /^\/v2\/storage(\/.*)?$/.exec(jobPath(request.url.pathname));
  if (path !== null && /^\/?$/.test(path[1] ?? "") && request.method === "GET")
    return { step: "index", id: undefined, answer: async (context) => index(context) };
  const [, branch, rest] = /^(?:\/branch\/([^/]+))?(\/.*)$/.exec(path?.[1] ?? "") ?? [];
  for (const [method, pattern, step, handler] of ROUTES) {
    const parts =
      method === request.method
        ? pattern
            .exec(rest ?? "")
            ?.slice(1)
            .map(decodeURIComponent)
        : undefined;
    if (parts === undefined) continue;
    const answer = guarded((context) => handler(callOf(context, { ...request, parts }, branch)));
    return { step, id: parts[0], answer };
  }
  const answer = guarded(() => {
    throw new ApiError(404, "storage.notFound", `There is no ${request.method} ${request.url.pathname}`);
  });
  return { step: "unknown", id: undefined, answer };
}

function guarded(
  respond: (context: ApiContext) => Response | Promise<Response>,
): (context: ApiContext) => Promise<Response> {
  return async (context) => {
    try {
      return await respond(context);
    } catch (error) {
      if (error instanceof ApiError) return error.toResponse();
      throw error;
    }
  };
}
