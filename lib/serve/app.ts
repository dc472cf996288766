import { Hono } from "hono";
import { routePath } from "hono/route";

import { AgnesError, isAgnesError, randomId } from "../base/mod.ts";
import { checkRequest } from "./auth/check-request.ts";
import { corsHeaders, isPreflight } from "./auth/cors.ts";
import { problemOf, problemResponse } from "./http/problem.ts";
import type { Route, ServeEnv } from "./http/route.ts";
import type { RequestInfo } from "./request-info.ts";
import type { ServeServices } from "./services.ts";

/** The length of the path in the log. */
const PATH_LENGTH_MAX = 500;

/** Builds the handler of all routes. */
export function createApp(
  services: ServeServices,
  routes: readonly Route[],
): (request: Request, info?: RequestInfo) => Promise<Response> {
  const { host, log, config, folders, metrics } = services;
  const known = new Set(routes.map(({ path }) => path));
  const app = new Hono<ServeEnv>();
  app.use(async (c, next) => {
    const requestId = randomId(host);
    const startMs = host.monotonicMs();
    c.set("requestId", requestId);
    c.set("address", addressOf(c.req.raw, c.env, config.trustProxy));
    c.set("principal", null);
    await next();
    c.header("x-request-id", requestId);
    const durationMs = host.monotonicMs() - startMs;
    log.info("request", {
      requestId,
      method: c.req.method,
      // Encoded, so that it can forge neither a line nor a field of the log.
      path: new URL(c.req.url).pathname.slice(0, PATH_LENGTH_MAX),
      status: c.res.status,
      ms: Math.round(durationMs),
      principal: c.get("principal")?.id ?? null,
    });
    const pattern = routePath(c);
    metrics.finished({
      route: known.has(pattern) ? pattern : "unknown",
      method: c.req.method,
      status: c.res.status,
      durationMs,
    });
  });
  app.use(async (c, next) => {
    checkRequest(c.req.raw, c.env.hosts, config);
    const cors = corsHeaders(c.req.raw, config.corsOrigins);
    if (cors === null) return next();
    if (isPreflight(c.req.raw)) return new Response(null, { status: 204, headers: cors });
    await next();
    for (const [name, value] of Object.entries(cors)) c.header(name, value);
    return undefined;
  });
  // Paths without parameters first: `/api/admin/registry/rebuild` is not `/api/admin/registry/:id` with another method.
  const paths = [...known].sort((a, b) => Number(a.includes("/:")) - Number(b.includes("/:")));
  for (const path of paths) {
    const ofPath = routes.filter((route) => route.path === path);
    for (const route of ofPath) app.on(route.method.toUpperCase(), [path], ...route.handlers(services));
    const allowed = allowedMethods(ofPath);
    app.all(path, () => {
      throw new AgnesError("method_not_allowed", { allowed });
    });
  }
  // Not `notFound`, which runs outside the middleware if no route matches.
  app.all("*", () => {
    throw new AgnesError("route_unknown", {});
  });
  app.onError((error, c) => {
    const problem = problemOf(error, c.get("requestId"));
    if (!isAgnesError(error) && isAgnesError(problem, "server_failed"))
      log.error("a request failed", { requestId: c.get("requestId"), error });
    return problemResponse(problem, folders);
  });
  return async (request, info = {}) => {
    // A request without a valid Host has no URL, which hono cannot route.
    if (!URL.canParse(request.url)) {
      const response = problemResponse(new AgnesError("url_malformed", {}), folders);
      response.headers.set("x-request-id", randomId(host));
      return response;
    }
    return app.fetch(request, info);
  };
}

/** The address of the client: behind a proxy, the one that the proxy appended. */
function addressOf(request: Request, { address }: RequestInfo, trustProxy: boolean): string | null {
  const forwarded = trustProxy ? request.headers.get("x-forwarded-for") : null;
  return forwarded?.split(",").at(-1)?.trim() || (address ?? null);
}

function allowedMethods(routes: readonly Route[]): readonly string[] {
  return routes.flatMap(({ method }) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]));
}
