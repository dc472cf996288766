import { toJsonSchema } from "@valibot/to-json-schema";
import { resolver, type DescribeRouteOptions } from "hono-openapi";
import type * as v from "valibot";

import type { ServerConfig } from "../../workspace/mod.ts";
import { errorBody } from "./schemas.ts";

const BINARY = { type: "string", format: "binary" };
const EVENTS = "text/event-stream";
/** One of the events. */
const EVENT = {
  type: "object",
  properties: { event: { type: "string" }, data: { type: "string", contentMediaType: "application/json" } },
};

/** A schema of a part of a request or a response. */
export type Schema = v.GenericSchema;

/**
 * Who may use a route: everyone, whoever has a token, or administrators. `optional`: everyone, but an invalid token is
 * rejected.
 */
export type RouteAccess = "public" | "optional" | "signed_in" | "admin";

/** A request that uses a value of a response. */
interface RouteLink {
  readonly operationId: string;
  /** Expressions of OpenAPI by parameter, such as `$response.body#/id`. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** A response in the description of a route. */
interface RouteResponse {
  readonly description: string;
  /** The schema of a JSON body. */
  readonly schema?: Schema;
  /** Content types of other bodies. */
  readonly types?: readonly string[];
  /** Descriptions of the headers that each such response has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Requests that may follow, by name. */
  readonly links?: Readonly<Record<string, RouteLink>>;
}

/** A route without its handler: its place, who may use it, and what it takes and returns. */
export interface RouteDescription<P, Q, B, A extends RouteAccess> {
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
  /** Whether parameters that `query` does not have are ignored. Default: `false`, they are rejected. */
  readonly ignoresQuery?: boolean;
  /** The schemas of optional headers of the request. */
  readonly headers?: Readonly<Record<string, v.GenericSchema<string, string>>>;
  readonly body?: B;
  /** Describes a body of any type, which the handler reads. */
  readonly rawBody?: string;
  /** The maximum size of a body. Default: `server.maxBodyBytes`. */
  readonly maxBodyBytes?: (config: ServerConfig) => number;
  /** Whether it may take minutes and reads no body, so that the transport must not close the connection. Default: `false`. */
  readonly isLong?: boolean;
  /** The successful responses, by status. */
  readonly responses: Readonly<Record<number, RouteResponse>>;
  /** The statuses of its errors besides those of all routes. */
  readonly errors?: readonly number[];
  /** Headers of all responses, errors included. */
  readonly headersOf?: (request: Request, requestId: string) => Readonly<Record<string, string>>;
  /** Describes the headers of `headersOf`. */
  readonly commonHeaders?: Readonly<Record<string, string>>;
}

/** Links to requests on the same thing, whose parameter is a value of the response. */
export function linksTo(
  operationIds: readonly string[],
  parameters: RouteLink["parameters"],
): Readonly<Record<string, RouteLink>> {
  return Object.fromEntries(operationIds.map((operationId) => [operationId, { operationId, parameters }]));
}

type AnyRoute = RouteDescription<unknown, unknown, unknown, RouteAccess>;

/** The statuses of the errors of a route. */
export function errorStatuses({ access, body, method, errors = [] }: AnyRoute): readonly number[] {
  const statuses = new Set<number>([400, 403, 500, ...errors]);
  if (body !== undefined) statuses.add(415);
  if (method !== "get") statuses.add(413);
  if (access !== "public") statuses.add(401).add(429);
  return [...statuses].sort((a, b) => a - b);
}

const REQUEST_ID = { "X-Request-Id": { $ref: "#/components/headers/RequestId" } };

/** The parts of the document that many routes refer to. */
export const sharedComponents = {
  headers: {
    RequestId: {
      description: "The id of the request in the log of the server",
      required: true,
      schema: { type: "string" },
    },
    RetryAfter: { description: "Seconds until the request may succeed", schema: { type: "integer" } },
  },
} as const;

/** How the schema of a body is described. Its parts with checks of their own are objects with fields of any name. */
export const JSON_SCHEMA = {
  options: {
    overrideSchema: ({ valibotSchema }: { readonly valibotSchema: { readonly type: string } }) =>
      valibotSchema.type === "custom" ? { type: "object" } : undefined,
  },
};

/** Describes a route for the document. */
export function describedRoute(spec: AnyRoute): DescribeRouteOptions {
  const common = { ...REQUEST_ID, ...describedHeaders(spec.commonHeaders) };
  const responses: Record<string, object> = {};
  for (const [status, response] of Object.entries(spec.responses)) {
    const { description, schema, types = [], headers, links } = response;
    const content: Record<string, object> = {};
    if (schema !== undefined) content["application/json"] = { schema: resolver(schema) };
    for (const type of types) content[type] = { schema: type === EVENTS ? EVENT : BINARY };
    responses[status] = {
      description,
      headers: { ...common, ...describedHeaders(headers) },
      ...(Object.keys(content).length > 0 && { content }),
      ...(links !== undefined && { links }),
    };
  }
  for (const status of errorStatuses(spec)) {
    responses[status] ??= {
      description: "An error",
      headers: { ...common, ...headersOfError(status) },
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
    ...(spec.headers !== undefined && { parameters: Object.entries(spec.headers).map(describedHeader) }),
    ...(spec.rawBody !== undefined && {
      requestBody: {
        description: spec.rawBody,
        required: true,
        content: { "*/*": { schema: BINARY } },
      },
    }),
    responses,
  } as DescribeRouteOptions;
}

function headersOfError(status: number): object {
  if (status === 401) return describedHeaders({ "WWW-Authenticate": "`Bearer`" });
  if (status === 416) return describedHeaders({ "Content-Range": "`bytes */` and the size in bytes" });
  return status === 429 ? { "Retry-After": { $ref: "#/components/headers/RetryAfter" } } : {};
}

function describedHeaders(headers: Readonly<Record<string, string>> = {}): object {
  const entries = Object.entries(headers).map(([name, description]) => [
    name,
    { description, required: true, schema: { type: "string" } },
  ]);
  return Object.fromEntries(entries) as object;
}

function describedHeader([name, valueSchema]: readonly [string, Schema]): object {
  const { $schema: _schema, description, ...schema } = toJsonSchema(valueSchema);
  return { in: "header", name, description, schema };
}
