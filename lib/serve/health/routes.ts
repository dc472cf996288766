import * as v from "valibot";

import { route, type Route } from "../http/route.ts";
import { healthDetail } from "./health.ts";
import { healthDetailSchema, healthStatus } from "./schemas.ts";

/** `GET /api/health`. */
export function healthRoutes(): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/api/health",
      operationId: "getHealth",
      tag: "operations",
      summary: "Return whether the server responds, and the state of its parts to administrators",
      description:
        "Without a token, or with that of an analyst, the response has the status only. No source is called.",
      access: "optional",
      responses: {
        200: { description: "The server responds", schema: v.union([healthDetailSchema, healthStatus]) },
      },
      handle: async ({ principal, services }) =>
        Response.json(principal?.role === "admin" ? await healthDetail(services) : { status: "ok" }),
    }),
  ];
}
