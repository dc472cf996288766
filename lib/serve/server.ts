import type { Host, Log } from "../base/mod.ts";
import { createApp, type RequestInfo } from "./app.ts";
import { accessOf } from "./auth/access.ts";
import { bearerToken } from "./auth/bearer-token.ts";
import type { Tokens } from "./auth/tokens.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import { healthRoutes } from "./health/routes.ts";
import type { Route } from "./http/route.ts";
import { openApiRoutes } from "./openapi/routes.ts";
import { registryRoutes } from "./registry/routes.ts";
import type { ServeServices } from "./services.ts";
import type { ServedWorkspace } from "./workspace.ts";

/** The HTTP API of a workspace. */
export interface Server {
  fetch(request: Request, info?: RequestInfo): Promise<Response>;
}

/** Creates the HTTP API of a workspace, without a transport. */
export function createServer(options: {
  readonly host: Host;
  readonly log: Log;
  readonly workspace: ServedWorkspace;
  readonly tokens: () => Promise<Tokens>;
}): Server {
  const { host, log, workspace, tokens } = options;
  const services: ServeServices = {
    host,
    log,
    config: workspace.workspace.config.server,
    workspace,
    authenticate: async (request) => (await tokens()).verify(bearerToken(request)),
    accessOf: (principal) => accessOf(workspace, principal),
  };
  return { fetch: createApp(services, allRoutes()) };
}

/** All routes, in the order of `/openapi.json`. */
export function allRoutes(): readonly Route[] {
  return [...healthRoutes(), ...catalogRoutes(), ...registryRoutes(), ...openApiRoutes(allRoutes)];
}
