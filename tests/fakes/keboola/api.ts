import { ApiError } from "./errors.ts";
import type { FileStorage } from "./files.ts";
import type { JobQueue } from "./jobs.ts";
import { readParameters, type Parameters } from "./parameters.ts";
import type { KeboolaScript } from "./script.ts";
import type { KeboolaStorage } from "./storage.ts";
import type { KeboolaTable, World } from "./table.ts";
import { authenticate, checkBucket, type KeboolaToken } from "./tokens.ts";

/** The project behind the API. */
export interface ApiContext {
  readonly base: string;
  readonly script: KeboolaScript;
  readonly world: World;
  readonly tokens: readonly KeboolaToken[];
  /** The default branch is the first. */
  readonly branches: readonly KeboolaStorage[];
  readonly files: FileStorage;
  readonly jobs: JobQueue;
  /** Files of earlier exports, by what they hold. */
  readonly cached: Map<string, { readonly fileId: number; readonly createdAt: Date }>;
}

/** A request to the API. */
export interface ApiCall {
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string;
  /** The parts of the path. */
  readonly parts: readonly string[];
  readonly token: KeboolaToken;
  readonly storage: KeboolaStorage;
  readonly context: ApiContext;
}

/** Builds the call of a request with a token. @throws ApiError 401, or 404 for a branch that does not exist */
export function callOf(
  context: ApiContext,
  request: Pick<ApiCall, "url" | "headers" | "body" | "parts">,
  branch: string | undefined,
): ApiCall {
  const token = authenticate(request.headers, context.tokens, context.world.now());
  const [main] = context.branches;
  const isDefault = branch === undefined || branch === "default";
  const storage = isDefault ? main : context.branches.find((one) => String(one.branch.id) === branch);
  if (storage === undefined)
    throw new ApiError(404, "storage.branches.notFound", `Branch "${branch}" not found`);
  return { ...request, token, storage, context };
}

/** The parameters of a request, from its body. @throws ApiError 400 */
export function parametersOf({ headers, body }: ApiCall): Parameters {
  return readParameters(headers, body);
}

/** The table in the path. @throws ApiError 403 or 404 */
export function tableOf(call: ApiCall, need: "read" | "write" = "read"): KeboolaTable {
  const { token, storage, parts } = call;
  return findTable(storage, token, parts[0]!, need);
}

/** A table that the token may use. @throws ApiError 403 or 404 */
export function findTable(
  storage: KeboolaStorage,
  token: KeboolaToken,
  id: string,
  need: "read" | "write",
): KeboolaTable {
  const bucketId = id.slice(0, id.lastIndexOf("."));
  checkBucket(token, bucketId, need);
  const table = storage.tables.get(id);
  if (table === undefined) {
    const message = `The table "${id.slice(bucketId.length + 1)}" was not found in the bucket "${bucketId}" in the project "${storage.project.id}"`;
    throw new ApiError(404, "storage.tables.notFound", message, { tableId: id });
  }
  return table;
}
