import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { describeRoute, validator } from "hono-openapi";
import * as v from "valibot";

import { AgnesError, isAgnesError } from "../../base/mod.ts";
import type { Principal } from "../auth/principal.ts";
import type { RequestInfo } from "../request-info.ts";
import type { ServeServices } from "../services.ts";
import { checkComplete } from "./check-complete.ts";
import {
  describedRoute,
  JSON_SCHEMA,
  errorStatuses,
  type RouteAccess,
  type RouteDescription,
  type Schema,
} from "./describe-route.ts";
import { invalidRequest } from "./invalid-request.ts";
import { parseBody } from "./parse-body.ts";

type Output<S> = S extends Schema ? v.InferOutput<S> : undefined;

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
      const handlers: MiddlewareHandler[] = [describeRoute(describedRoute(spec))];
      if (spec.headersOf !== undefined) handlers.push(setHeaders(spec.headersOf));
      handlers.push(checkAccess(services, access));
      if (params !== undefined) handlers.push(validator("param", params, invalidRequest("path")));
      if (query !== undefined) handlers.push(validator("query", query, invalidRequest("query string")));
      if (spec.ignoresQuery !== true) handlers.push(checkQuery);
      if (spec.headers !== undefined) handlers.push(checkHeaders(spec.headers));
      if (method !== "get")
        handlers.push(limitBody(spec.maxBodyBytes?.(services.config) ?? services.config.maxBodyBytes));
      if (body !== undefined)
        handlers.push(checkJson, validator("json", body, invalidRequest("body"), JSON_SCHEMA), checkBody);
      const isRead = method === "get" || body !== undefined || spec.isLong === true;
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

function setHeaders(
  headersOf: NonNullable<RouteDescription<unknown, unknown, unknown, RouteAccess>["headersOf"]>,
): MiddlewareHandler<ServeEnv> {
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

function checkHeaders(schemas: Readonly<Record<string, Schema>>): MiddlewareHandler {
  return async (c, next) => {
    for (const [name, schema] of Object.entries(schemas)) {
      const value = c.req.header(name);
      const result = v.safeParse(v.object({ [name]: v.optional(schema) }), { [name]: value });
      invalidRequest("header")({ success: result.success, error: result.issues });
    }
    return next();
  };
}

/** Rejects unknown parameters, also of names that all objects inherit, which valibot leaves out. */
const checkQuery: MiddlewareHandler = async (c, next) => {
  const known: object = c.req.valid("query" as never) ?? {};
  for (const name of new URL(c.req.url).searchParams.keys())
    if (!Object.hasOwn(known, name))
      throw new AgnesError("request_invalid", {
        part: "query string",
        field: "the object",
        reason: "it has an unknown field",
      });
  return next();
};

const checkBody: MiddlewareHandler = async (c, next) => {
  checkComplete("body", await c.req.json(), c.req.valid("json" as never));
  return next();
};
