import { HTTPException } from "hono/http-exception";

import { AgnesError, bigintAsText, isAgnesError } from "../../base/mod.ts";
import { hidePaths } from "./hide-paths.ts";

/**
 * The error of a response, for anything that was thrown. Errors that are not of Agnes show nothing of their cause, also if they
 * come from a worker process as `internal`.
 */
export function problemOf(error: unknown, requestId: string): AgnesError {
  if (isAgnesError(error) && error.code !== "internal") return error;
  if (error instanceof HTTPException && error.status === 400) return new AgnesError("body_malformed", {});
  return new AgnesError("server_failed", { requestId }, { cause: error });
}

/** The body of an error: `{error: {code, message, hint, details}}`, without paths of this machine; see `hidePaths`. */
export function problemBody(error: AgnesError, folders: readonly string[]): ReturnType<AgnesError["toJSON"]> {
  return hidePaths(JSON.parse(JSON.stringify(error, bigintAsText)), folders) as never;
}

/** The response of an error: `{error: {code, message, hint, details}}`. */
export function problemResponse(error: AgnesError, folders: readonly string[]): Response {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (isAgnesError(error, "method_not_allowed")) headers["allow"] = error.details.allowed.join(", ");
  if (isAgnesError(error, "queries_waiting") || isAgnesError(error, "sign_in_limited"))
    headers["retry-after"] = String(Math.ceil(error.details.retryAfterMs / 1000));
  if (isAgnesError(error, "range_not_satisfiable"))
    headers["content-range"] = `bytes */${error.details.sizeBytes}`;
  if (error.status === 401) headers["www-authenticate"] = "Bearer";
  return new Response(JSON.stringify(problemBody(error, folders)), { status: error.status, headers });
}
