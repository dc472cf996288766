/** The header fields that a page of an allowed origin may read. */
const EXPOSED = "etag, retry-after, x-agnes-query-id, x-request-id";
const ALLOWED = "accept, authorization, content-type, if-match, x-agnes-query-id";
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE";
const MAX_AGE_SECONDS = "600";

/**
 * The headers for a page of an origin in `server.corsOrigins`; null for any other request. Such pages send a token: cookies
 * are not allowed.
 */
export function corsHeaders(
  request: Request,
  corsOrigins: readonly string[],
): Readonly<Record<string, string>> | null {
  const origin = request.headers.get("origin");
  if (origin === null || !corsOrigins.includes(origin)) return null;
  const common = { "access-control-allow-origin": origin, vary: "Origin" };
  if (!isPreflight(request)) return { ...common, "access-control-expose-headers": EXPOSED };
  return {
    ...common,
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": ALLOWED,
    "access-control-max-age": MAX_AGE_SECONDS,
  };
}

/** Whether a browser asks if it may send a request. */
export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}
