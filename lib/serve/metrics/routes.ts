import { AgnesError } from "../../base/mod.ts";
import { route, type Route } from "../http/route.ts";

/** `GET /metrics`. */
export function metricsRoutes(): readonly Route[] {
  return [
    route({
      method: "get",
      path: "/metrics",
      operationId: "getMetrics",
      tag: "operations",
      summary: "Return the metrics of the server for Prometheus",
      description: "Needs the token of an administrator, unless `server.publicMetrics` is true.",
      access: "optional",
      responses: { 200: { description: "The metrics as text", types: ["text/plain"] } },
      errors: [403],
      async handle({ principal, services }) {
        if (!services.config.publicMetrics) {
          if (principal === null) throw new AgnesError("token_missing", {});
          if (principal.role !== "admin") throw new AgnesError("role_missing", { role: "admin" });
        }
        const { metrics } = services;
        return new Response(await metrics.text(), { headers: { "content-type": metrics.contentType } });
      },
    }),
  ];
}
