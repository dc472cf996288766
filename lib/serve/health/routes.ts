import * as v from "valibot";

import { route, type Route } from "../http/route.ts";

const health = v.object({ status: v.pipe(v.literal("ok"), v.description("The server responds")) });

/** `GET /api/health`. */
export function healthRoutes(): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/health",
      operationId: "getHealth",
      tag: "operations",
      summary: "Return whether the server responds",
      access: "public",
      responses: { 200: { description: "The server responds", schema: health } },
      handle: () => Response.json({ status: "ok" }),
    }),
  ];
}
