import { atMost, type Host, type Log } from "../base/mod.ts";
import { createApp } from "./app.ts";
import { Access } from "./auth/access.ts";
import { authenticate } from "./auth/authenticate.ts";
import type { Tokens } from "./auth/tokens.ts";
import { catalogRoutes } from "./catalog/routes.ts";
import { Manifests } from "./distribution/manifests.ts";
import { distributionRoutes } from "./distribution/routes.ts";
import { healthRoutes } from "./health/routes.ts";
import type { Route } from "./http/route.ts";
import { metadataRoutes } from "./metadata/routes.ts";
import { queryRoutes } from "./query/routes.ts";
import { loginRoutes } from "./login/routes.ts";
import type { RequestInfo } from "./request-info.ts";
import { openApiRoutes } from "./openapi/routes.ts";
import { profileRoutes } from "./profile/routes.ts";
import { pushRoutes } from "./push/routes.ts";
import { registryRoutes } from "./registry/routes.ts";
import { metricsRoutes } from "./metrics/routes.ts";
import { runRoutes } from "./runs/routes.ts";
import { SyncRequests } from "./runs/sync-requests.ts";
import type { ServerOptions } from "./server-options.ts";
import type { ServeServices } from "./services.ts";
import { partsOf, ServerState } from "./state.ts";
import { WebhookReceiver } from "./webhooks/receiver.ts";
import { webhookRoutes } from "./webhooks/routes.ts";
import type { ServedWorkspace } from "./workspace.ts";

/** How long requests may use the workspace after it began to close. */
const CLOSE_GRACE_MS = 1_000;

/** The HTTP API of a workspace. */
export interface Server {
  fetch(request: Request, info?: RequestInfo): Promise<Response>;
  /** Begins to sync tables when they are due, unless another process of the workspace does. Idempotent. */
  startScheduler(): void;
  /** Lets another process sync what is due, and waits for the syncs that began. */
  stopScheduler(): Promise<void>;
  /** Ends event streams, stops the syncs that it began, waits for requests, and closes the connections to sources. */
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
  const { authorize, state = new ServerState(host) } = server;
  const { signIn, queries, metrics, ending } = partsOf(state);
  const closing = new AbortController();
  const workspace = metrics.metered({ host, workspace: options.workspace });
  const webhooks = new WebhookReceiver({ host, log, workspace });
  const access = new Access(workspace, host, authorize);
  const syncs = new SyncRequests({ host, log, workspace });
  const running = new Set<Promise<unknown>>();
  const track = <T>(work: Promise<T>): Promise<T> => {
    running.add(work);
    const end = () => void running.delete(work);
    work.then(end, end);
    return work;
  };
  const services: ServeServices = {
    host,
    log,
    config: workspace.workspace.config.server,
    workspace,
    folders: [workspace.workspace.dataDirectory, workspace.workspace.directory],
    signIn,
    queries,
    metrics,
    webhooks,
    syncs,
    ending: AbortSignal.any([ending.signal, closing.signal]),
    track,
    manifests: new Manifests({ host, log, workspace }),
    tokens,
    authenticate: (request, address) => authenticate(request, address, { tokens, signIn }),
    accessOf: (principal) => access.of(principal),
  };
  const handle = createApp(services, allRoutes());
  return {
    fetch: (request, info) => track(handle(request, info)),
    startScheduler: () => syncs.startScheduler(),
    stopScheduler: () => syncs.stopScheduler(),
    async close() {
      closing.abort();
      await syncs.close();
      await atMost(Promise.allSettled(running), CLOSE_GRACE_MS);
      await webhooks.close();
    },
  };
}

/** All routes, in the order of `/openapi.json`. */
export function allRoutes(): readonly Route[] {
  return [
    ...healthRoutes(),
    ...loginRoutes(),
    ...queryRoutes(),
    ...pushRoutes(),
    ...catalogRoutes(),
    ...profileRoutes(),
    ...distributionRoutes(),
    ...registryRoutes(),
    ...metadataRoutes(),
    ...runRoutes(),
    ...metricsRoutes(),
    ...webhookRoutes(),
    ...openApiRoutes(allRoutes),
  ];
}
