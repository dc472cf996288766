import { Hono } from "hono";
import { generateSpecs } from "hono-openapi";

import { sharedComponents } from "../http/describe-route.ts";
import type { Route } from "../http/route.ts";
import type { ServeServices } from "../services.ts";

/** An OpenAPI 3.1 document. */
export type OpenApiDocument = Awaited<ReturnType<typeof generateSpecs>>;

/** Describes all routes, from the schemas that check their requests. */
export async function openApiDocument(
  routes: readonly Route[],
  services: ServeServices,
): Promise<OpenApiDocument> {
  const app = new Hono();
  for (const route of routes) app.on(route.method.toUpperCase(), [route.path], ...route.handlers(services));
  return generateSpecs(app, {
    // The path of the document itself looks like a file.
    excludeStaticFile: false,
    documentation: {
      openapi: "3.1.0",
      info: {
        title: "Agnes",
        version: "1",
        description:
          "Tables of many sources, queried with SQL. All errors have one shape. Unknown query parameters are rejected with `400 request_invalid`, except by webhooks.",
        license: { name: "MIT", identifier: "MIT" },
      },
      servers: [{ url: "/" }],
      components: {
        ...sharedComponents,
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "A token that an administrator created" },
        },
      },
    },
  });
}
