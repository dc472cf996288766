import type { Host, Log } from "../base/mod.ts";
import { createApp } from "./app.ts";
import { Access } from "./auth/access.ts";
import { authenticate } from "./auth/authenticate.ts";
import type { ServerOptions } from "./auth/authorize.ts";
import { SignIn } from "./auth/sign-in.ts";
import type { Tokens } from "./auth/tokens.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import { healthRoutes } from "./health/routes.ts";
import type { Route } from "./http/route.ts";
import { queryRoutes } from "./query/routes.ts";
import { loginRoutes } from "./login/routes.ts";
import type { RequestInfo } from "./request-info.ts";
import { openApiRoutes } from "./openapi/routes.ts";
import { registryRoutes } from "./registry/routes.ts";
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
  readonly server?: ServerOptions;
}): Server {
  const { host, log, tokens, server = {} } = options;
  const metrics = new Metrics(options);
  const workspace = metrics.metered(options.workspace);
  const { authorize, signIn = new SignIn(host) } = server;
  const webhooks = new WebhookReceiver({ host, log, workspace });
  const access = new Access(workspace, host, authorize);
  const services: ServeServices = {
    host,
    log,
    config: workspace.workspace.config.server,
    workspace,
    folders: [workspace.workspace.dataDirectory, workspace.workspace.directory],
    signIn,
    metrics,
    webhooks,
    tokens,
    authenticate: (request, address) => authenticate(request, address, { tokens, signIn }),
    accessOf: (principal) => access.of(principal),
  };
  return {
    fetch: createApp(services, allRoutes()),
    close: () => webhooks.close(),
  };
}

/** All routes, in the order of `/openapi.json`. */
export function allRoutes(): readonly Route[] {
  return [
    ...healthRoutes(),
    ...loginRoutes(),
    ...queryRoutes(),
    ...catalogRoutes(),
    ...registryRoutes(),
    ...metricsRoutes(),
    ...webhookRoutes(),
    ...openApiRoutes(allRoutes),
  ];
}
