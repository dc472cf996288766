import { afterAll, beforeAll, expect, test } from "bun:test";

import { allRoutes } from "../../../lib/serve/server.ts";
import { served, type Served } from "../harness.ts";

let shop: Served;
let token: string;
beforeAll(async () => {
  shop = await served();
  token = await shop.token();
});
afterAll(() => shop[Symbol.asyncDispose]());

const isWebhook = (path: string) => path === "/webhooks/:source" || path === "/api/:plugin/webhook";
const routes = allRoutes().map(
  ({ method, path }) => [`${method.toUpperCase()} ${path}`, method, path] as const,
);

async function errorOf(method: string, path: string) {
  const response = await shop.request(path.replaceAll(/:\w+/g, "shop"), {
    token,
    method: method.toUpperCase(),
    ...(method !== "get" && { body: "{}", headers: { "content-type": "application/json" } }),
  });
  const { error } = (await response.json()) as { error: { code: string; details: object } };
  return [response.status, error.code, error.details];
}

test.each(routes.filter(([, , path]) => !isWebhook(path)))(
  "%s rejects unknown parameters, of any name",
  async (_, method, path) => {
    for (const name of ["unknown", "__proto__", "constructor", ""])
      expect(await errorOf(method, `${path}?${name}=1`), name).toEqual([
        400,
        "request_invalid",
        expect.objectContaining({ part: "query string" }),
      ]);
  },
);

test("webhooks take the parameters that services add", async () => {
  for (const path of ["/webhooks/shop", "/api/files/webhook"])
    expect(await errorOf("post", `${path}?user_id=1`)).toEqual([404, "webhook_unknown", {}]);
});
