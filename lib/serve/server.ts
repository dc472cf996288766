import type { Host, Log } from "../base/mod.ts";
import { createApp, type RequestInfo } from "./app.ts";
import { accessOf } from "./auth/access.ts";
import { bearerToken } from "./auth/bearer-token.ts";
import type { Tokens } from "./auth/tokens.ts";
import { healthRoutes } from "./health/routes.ts";
import type { Route } from "./http/route.ts";
import { Metrics } from "./metrics/metrics.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import type { ServeServices } from "./services.ts";
import { WebhookReceiver } from "./webhooks/receiver.ts";
import { webhookRoutes } from "./webhooks/routes.ts";
import type { ServedWorkspace } from "./workspace.ts";

/** The HTTP API of a workspace. */
export interface Server {
  fetch(request: Request, info?: RequestInfo): Promise<Response>;
  /** Closes the connections to sources. */
  close(): Promise<void>;
}

/** Creates the HTTP API of a workspace, without a transport. */
export function createServer(options: {
  readonly host: Host;
  readonly log: Log;
  readonly workspace: ServedWorkspace;
  readonly tokens: () => Promise<Tokens>;
}): Server {
  const { host, log, tokens } = options;
  const metrics = new Metrics(options);
  const workspace = metrics.metered(options.workspace);
  const services: ServeServices = {
    host,
    log,
    config: workspace.workspace.config.server,
    workspace,
    authenticate: async (request) => (await tokens()).verify(bearerToken(request)),
    accessOf: (principal) => accessOf(workspace, principal),
  };
  const receiver = new WebhookReceiver(services);
  return {
    fetch: createApp(services, allRoutes(receiver, metrics), metrics),
    close: () => receiver.close(),
  };
}

/** All routes, in the order of `/openapi.json`. */
function allRoutes(receiver: WebhookReceiver, metrics: Metrics): readonly Route[] {
  return [...healthRoutes(), ...metricsRoutes(metrics), ...webhookRoutes(receiver)];
}
