import { Hono } from "hono";
import { routePath } from "hono/route";

import { AgnesError, isAgnesError, randomId } from "../base/mod.ts";
import { problemOf, problemResponse } from "./http/problem.ts";
import type { Route, ServeEnv } from "./http/route.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { ServeServices } from "./services.ts";

/** What the transport knows of a request. */
export interface RequestInfo {
  /** The address of the client. Default: unknown. */
  readonly address?: string;
}

/** Builds the handler of all routes. */
export function createApp(
  services: ServeServices,
  routes: readonly Route[],
  metrics: Pick<Metrics, "finished">,
): (request: Request, info?: RequestInfo) => Promise<Response> {
  const app = new Hono<ServeEnv & { readonly Bindings: RequestInfo }>();
  const known = new Set(routes.map(({ path }) => path));
  app.use(async (c, next) => {
    const beganMs = services.host.monotonicMs();
    const requestId = randomId(services.host);
    c.set("requestId", requestId);
    c.set("address", c.env?.address ?? null);
    c.set("principal", null);
    await next();
    c.header("x-request-id", requestId);
    const pattern = routePath(c);
    metrics.finished({
      route: known.has(pattern) ? pattern : "unknown",
      method: c.req.method,
      status: c.res.status,
      durationMs: services.host.monotonicMs() - beganMs,
    });
  });
  for (const route of routes) app.on(route.method.toUpperCase(), [route.path], ...route.handlers(services));
  for (const [path, allowed] of methodsByPath(routes)) {
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
      services.log.error("a request failed", { requestId: c.get("requestId"), error });
    return problemResponse(problem);
  });
  return async (request, info = {}) => app.fetch(request, info);
}

function methodsByPath(routes: readonly Route[]): ReadonlyMap<string, readonly string[]> {
  const methods = new Map<string, string[]>();
  for (const { path, method } of routes)
    methods.set(path, [
      ...(methods.get(path) ?? []),
      method.toUpperCase(),
      ...(method === "get" ? ["HEAD"] : []),
    ]);
  return methods;
}
