import * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";
import { route, type Route } from "../http/route.ts";
import type { WebhookReceiver } from "./receiver.ts";

const params = v.strictObject({
  source: v.pipe(v.string(), v.maxLength(200), v.description("Name of the source in `agnes.yaml`")),
});

const pluginParams = v.strictObject({
  plugin: v.pipe(v.string(), v.maxLength(200), v.description("Name of a plugin that one source has")),
});

const accepted = v.object({
  accepted: v.pipe(v.number(), v.description("Number of events that are now on disk")),
});

const health = v.object({
  source: v.string(),
  status: v.pipe(
    v.picklist(["ok", "unavailable"]),
    v.description("unavailable: a secret of the source is not set, so its requests are rejected"),
  ),
  spooled_events: v.pipe(
    v.nullable(v.number()),
    v.description(
      "Events on disk that wait for `agnes sync SOURCE`; null: not counted in time, or the caller may access some tables only",
    ),
  ),
  last_received_at: v.pipe(v.nullable(v.string()), v.description("ISO 8601; null: unknown, or as above")),
});

/** `POST /webhooks/:source`, its alias by plugin, and `GET /webhooks/:source/health`. */
export function webhookRoutes(): readonly Route[] {
  const receive = async (receiver: WebhookReceiver, source: string, request: Request): Promise<Response> => {
    const count = await receiver.receive(source, {
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: new Uint8Array(await request.arrayBuffer()),
    });
    return Response.json({ accepted: count }, { status: 202 });
  };
  const common = {
    method: "post",
    tag: "webhooks",
    description:
      "The plugin of the source checks the signature of the raw body. `202` means that the events are on disk; the next " +
      "`agnes sync SOURCE` makes them rows of its tables. Query parameters, which some services add, are ignored.",
    access: "public",
    ignoresQuery: true,
    rawBody: "The body that the documentation of the source describes, signed as it demands",
    maxBodyBytes: (config: { readonly maxWebhookBytes: number }) => config.maxWebhookBytes,
    responses: { 202: { description: "The events are on disk", schema: accepted } },
    errors: [400, 401, 404, 503, 507],
  } as const;
  return [
    route({
      ...common,
      path: "/webhooks/:source",
      operationId: "receiveWebhook",
      summary: "Receive a request that a source pushes",
      params,
      handle: ({ services, params: { source }, request }) => receive(services.webhooks, source, request),
    }),
    route({
      ...common,
      path: "/api/:plugin/webhook",
      operationId: "receivePluginWebhook",
      summary: "Receive a request for the only source of a plugin",
      params: pluginParams,
      handle: ({ services: { webhooks }, params: { plugin }, request }) =>
        receive(webhooks, webhooks.onlySourceOf(plugin), request),
    }),
    route({
      method: "get",
      path: "/webhooks/:source/health",
      operationId: "getWebhookHealth",
      tag: "webhooks",
      summary: "Return what waits for a source that receives requests",
      access: "signed_in",
      params,
      responses: { 200: { description: "The state of the source", schema: health } },
      errors: [404],
      async handle({ params: { source }, services, principal }) {
        const access = await services.accessOf(principal);
        const canSee = access === null || [...access].some((id) => id.startsWith(`${source}.`));
        if (!canSee) throw new AgnesError("webhook_unknown", {});
        const found = await services.webhooks.health(source);
        // The events may be those of other tables.
        const shown = access === null ? found : { ...found, spooled_events: null, last_received_at: null };
        return Response.json(shown);
      },
    }),
  ];
}
