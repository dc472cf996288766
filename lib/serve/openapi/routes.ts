import * as v from "valibot";

import { route, type Route } from "../http/route.ts";
import { openApiDocument } from "./document.ts";

const documentBody = v.looseObject({
  openapi: v.string(),
  info: v.looseObject({}),
  paths: v.looseObject({}),
});

/** `GET /openapi.json`. @param all returns all routes, itself included */
export function openApiRoutes(all: () => readonly Route[]): readonly Route[] {
  let body: Promise<string> | null = null;
  return [
    route({
      method: "get",
      path: "/openapi.json",
      operationId: "getOpenApi",
      tag: "operations",
      summary: "Return this description of the HTTP API",
      access: "public",
      responses: { 200: { description: "An OpenAPI 3.1 document", schema: documentBody } },
      async handle({ services }) {
        body ??= openApiDocument(all(), services).then((document) => JSON.stringify(document));
        return new Response(await body, { headers: { "content-type": "application/json" } });
      },
    }),
  ];
}
