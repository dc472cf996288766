import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { describeRoute, resolver, validator, type DescribeRouteOptions } from "hono-openapi";
import type * as v from "valibot";

import { AgnesError, isAgnesError } from "../../base/mod.ts";
import type { ServerConfig } from "../../workspace/mod.ts";
import type { Principal } from "../auth/principal.ts";
import type { RequestInfo } from "../request-info.ts";
import type { ServeServices } from "../services.ts";
import { invalidRequest } from "./invalid-request.ts";
import { parseBody } from "./parse-body.ts";
import { errorBody } from "./schemas.ts";

type Schema = v.GenericSchema;
type Output<S> = S extends Schema ? v.InferOutput<S> : undefined;

/**
 * Who may use a route: everyone, whoever has a token, or administrators. `optional`: everyone, but an invalid token is
 * rejected.
 */
export type RouteAccess = "public" | "optional" | "signed_in" | "admin";

/** The variables of a request in hono. */
export interface ServeEnv {
  readonly Bindings: RequestInfo;
  readonly Variables: {
    readonly requestId: string;
    /** The address of the client; null: unknown. */
    readonly address: string | null;
    principal: Principal | null;
  };
}

/** What a handler gets: the checked parts of the request, and who makes it. */
interface RouteInput<P, Q, B, A extends RouteAccess> {
  readonly services: ServeServices;
  readonly principal: A extends "public" ? null : A extends "optional" ? Principal | null : Principal;
  readonly params: Output<P>;
  readonly query: Output<Q>;
  readonly body: Output<B>;
  /** The request; its body is read already if `body` has a schema. */
  readonly request: Request;
  readonly requestId: string;
  readonly address: string | null;
}

/** A response in the description of a route. */
interface RouteResponse {
  readonly description: string;
  /** The schema of a JSON body. */
  readonly schema?: Schema;
  /** Content types of other bodies. */
  readonly types?: readonly string[];
}

/** A route without its handler: its place, who may use it, and what it takes and returns. */
interface RouteDescription<P, Q, B, A extends RouteAccess> {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** The path as hono writes it, such as `/api/v2/schema/:id`. */
  readonly path: string;
  readonly operationId: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly access: A;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** The maximum size of a body. Default: `server.maxBodyBytes`. */
  readonly maxBodyBytes?: (config: ServerConfig) => number;
  /** The successful responses, by status. */
  readonly responses: Readonly<Record<number, RouteResponse>>;
  /** The statuses of its errors besides those of all routes. */
  readonly errors?: readonly number[];
  /** Headers of all responses, errors included. */
  readonly headersOf?: (request: Request, requestId: string) => Readonly<Record<string, string>>;
}

/** A route and its handler. */
export interface RouteSpec<P, Q, B, A extends RouteAccess> extends RouteDescription<P, Q, B, A> {
  handle(input: RouteInput<P, Q, B, A>): Promise<Response> | Response;
}

/** A route for `createApp`. */
export interface Route {
  readonly method: RouteSpec<unknown, unknown, unknown, RouteAccess>["method"];
  readonly path: string;
  readonly access: RouteAccess;
  readonly operationId: string;
  /** The statuses of its responses. */
  readonly statuses: readonly number[];
  handlers(services: ServeServices): readonly MiddlewareHandler[];
}

/** Defines a route. The schemas both check the request and describe it in `/openapi.json`. */
export function route<
  const A extends RouteAccess,
  P extends Schema | undefined = undefined,
  Q extends Schema | undefined = undefined,
  B extends Schema | undefined = undefined,
>(spec: RouteSpec<P, Q, B, A>): Route {
  const { method, path, access, params, query, body } = spec;
  return {
    method,
    path,
    access,
    operationId: spec.operationId,
    statuses: [...Object.keys(spec.responses).map(Number), ...errorStatuses(spec)],
    handlers(services) {
      const handlers: MiddlewareHandler[] = [describeRoute(description(spec))];
      if (spec.headersOf !== undefined) handlers.push(setHeaders(spec.headersOf));
      handlers.push(checkAccess(services, access));
      if (params !== undefined) handlers.push(validator("param", params, invalidRequest("path")));
      if (query !== undefined) handlers.push(validator("query", query, invalidRequest("query string")));
      if (method !== "get")
        handlers.push(limitBody(spec.maxBodyBytes?.(services.config) ?? services.config.maxBodyBytes));
      if (body !== undefined) handlers.push(checkJson, validator("json", body, invalidRequest("body")));
      const isRead = method === "get" || body !== undefined;
      handlers.push(async (c: Context<ServeEnv>) => {
        if (c.get("principal") !== null && isRead) c.env.onReady?.();
        return spec.handle(inputOf(spec, services, c));
      });
      return handlers;
    },
  };
}

function inputOf<P, Q, B, A extends RouteAccess>(
  spec: RouteSpec<P, Q, B, A>,
  services: ServeServices,
  c: Context<ServeEnv>,
): RouteInput<P, Q, B, A> {
  const valid = (target: string): never => c.req.valid(target as never);
  return {
    services,
    principal: c.get("principal") as RouteInput<P, Q, B, A>["principal"],
    params: (spec.params === undefined ? undefined : valid("param")) as Output<P>,
    query: (spec.query === undefined ? undefined : valid("query")) as Output<Q>,
    body: (spec.body === undefined ? undefined : valid("json")) as Output<B>,
    request: c.req.raw,
    requestId: c.get("requestId"),
    address: c.get("address"),
  };
}

function setHeaders(headersOf: NonNullable<AnyRoute["headersOf"]>): MiddlewareHandler<ServeEnv> {
  return async (c, next) => {
    const headers = headersOf(c.req.raw, c.get("requestId"));
    await next();
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
  };
}

function checkAccess(services: ServeServices, access: RouteAccess): MiddlewareHandler<ServeEnv> {
  return async (c, next) => {
    if (access === "public") return next();
    const principal = await services.authenticate(c.req.raw, c.get("address")).catch((error: unknown) => {
      if (access === "optional" && isAgnesError(error, "token_missing")) return null;
      throw error;
    });
    // Before the check of the role, so that the log has the token of a rejected request.
    c.set("principal", principal);
    if (access === "admin" && principal?.role !== "admin")
      throw new AgnesError("role_missing", { role: "admin" });
    return next();
  };
}

function limitBody(maxBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: maxBytes,
    onError: () => {
      throw new AgnesError("body_too_large", { maxBytes });
    },
  });
}

const checkJson: MiddlewareHandler = async (c, next) => {
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/json\s*(?:;|$)/i.test(type))
    throw new AgnesError("content_type_unsupported", { expected: "application/json" });
  // The validator takes it from the cache. hono's own parser would replace bytes that are not UTF-8.
  c.req.bodyCache.json = Promise.resolve(parseBody(await c.req.raw.arrayBuffer()));
  return next();
};

type AnyRoute = RouteDescription<unknown, unknown, unknown, RouteAccess>;

/** The statuses that every route may return. */
function errorStatuses({ access, body, method, errors = [] }: AnyRoute) {
  const statuses = new Set<number>([400, 403, 500, ...errors]);
  if (body !== undefined) statuses.add(415);
  if (method !== "get") statuses.add(413);
  if (access !== "public") statuses.add(401).add(429);
  return [...statuses].sort((a, b) => a - b);
}

function description(spec: AnyRoute): DescribeRouteOptions {
  const responses: Record<string, object> = {};
  for (const [status, { description: text, schema, types = [] }] of Object.entries(spec.responses)) {
    const content: Record<string, object> = {};
    if (schema !== undefined) content["application/json"] = { schema: resolver(schema) };
    for (const type of types) content[type] = { schema: { type: "string", format: "binary" } };
    responses[status] = { description: text, ...(Object.keys(content).length > 0 && { content }) };
  }
  for (const status of errorStatuses(spec)) {
    responses[status] ??= {
      description: "An error",
      content: { "application/json": { schema: resolver(errorBody) } },
    };
  }
  return {
    operationId: spec.operationId,
    tags: [spec.tag],
    summary: spec.summary,
    ...(spec.description !== undefined && { description: spec.description }),
    ...(spec.access !== "public" && {
      security: [...(spec.access === "optional" ? [{}] : []), { token: [] }],
    }),
    responses,
  } as DescribeRouteOptions;
}
