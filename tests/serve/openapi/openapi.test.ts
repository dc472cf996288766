import { describe, expect, test } from "bun:test";

import { allRoutes } from "../../../lib/serve/server.ts";
import { served } from "../harness.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<
    Record<string, { readonly links?: Readonly<Record<string, { readonly operationId: string }>> }>
  >;
  readonly parameters?: readonly unknown[];
  readonly requestBody?: unknown;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: object; readonly schemas: object };
}

function linksOf(paths: Document["paths"]) {
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  return operations.flatMap(({ operationId, responses }) =>
    Object.values(responses).flatMap(({ links = {} }) =>
      Object.values(links).map((link) => [operationId, link.operationId] as const),
    ),
  );
}

async function documentOf(): Promise<Document> {
  await using shop = await served();
  const response = await shop.request("/openapi.json");
  expect(response.status).toBe(200);
  return (await response.json()) as Document;
}

describe("GET /openapi.json", () => {
  test("is public and describes how to sign in", async () => {
    const { openapi, components } = await documentOf();
    expect(openapi).toStartWith("3.1");
    expect(components.securitySchemes).toMatchObject({ token: { type: "http", scheme: "bearer" } });
  });

  test("has every route with all its statuses", async () => {
    const { paths } = await documentOf();
    const routes = allRoutes();
    for (const { method, path, statuses, access } of routes) {
      const operation = paths[path.replaceAll(/:(\w+)/g, "{$1}")]?.[method];
      expect(Object.keys(operation?.responses ?? {}).map(Number), `${method} ${path}`).toEqual(
        [...statuses].sort((a, b) => a - b),
      );
      expect(operation?.summary).not.toBe("");
      expect(operation?.security !== undefined, path).toBe(access !== "public");
    }
    const operations = Object.values(paths).flatMap((methods) => Object.keys(methods));
    expect(operations).toHaveLength(routes.length);
  });

  test("names each operation once", () => {
    const ids = allRoutes().map(({ operationId }) => operationId);
    expect(ids).toEqual([...new Set(ids)]);
  });

  test("describes the headers of requests and responses, and what may follow", async () => {
    const { paths } = await documentOf();
    const update = paths["/api/admin/registry/{id}"]!["put"]!;
    expect(update.parameters).toContainEqual(
      expect.objectContaining({
        in: "header",
        name: "If-Match",
        schema: { type: "string", pattern: expect.any(String) },
      }),
    );
    expect(update.responses["200"]).toMatchObject({ headers: { ETag: {}, "X-Request-Id": {} } });
    const query = paths["/api/query"]!["post"]!;
    expect(query.parameters).toContainEqual(expect.objectContaining({ name: "X-Agnes-Query-Id" }));
    expect(query.responses["429"]).toMatchObject({ headers: { "Retry-After": {}, "X-Agnes-Query-Id": {} } });
    const ids = Object.values(paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    for (const [from, to] of linksOf(paths)) expect(ids, from).toContain(to);
    expect(linksOf(paths)).toContainEqual(["registerTable", "unregisterTable"]);
  });

  test("describes the bodies by the schemas that check them", async () => {
    const { paths } = await documentOf();
    const { requestBody } = paths["/api/v2/scan"]!["post"]!;
    expect(requestBody).toMatchObject({
      content: {
        "application/json": {
          schema: {
            properties: {
              limit: { type: "integer", minimum: 1 },
              where: { type: "string", maxLength: 10_000 },
            },
            required: ["table_id"],
            additionalProperties: false,
          },
        },
      },
    });
  });
});
