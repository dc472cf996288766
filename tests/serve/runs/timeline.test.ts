import { expect, test } from "bun:test";

import { served } from "../harness.ts";

interface Page {
  readonly entries: readonly {
    readonly kind: string;
    readonly table: string | null;
    readonly summary: string;
    readonly actor: string | null;
  }[];
  readonly next: string | null;
}

test("GET /api/timeline shows events of granted tables, and details to administrators", async () => {
  await using server = await served();
  const admin = await server.token();
  const analyst = await server.token({
    role: "analyst",
    grants: { tables: ["shop.orders"], sources: [], folders: [] },
  });
  const get = async (path: string, token: string) => {
    const response = await server.request(`/api/timeline${path}`, { token });
    return { status: response.status, body: (await response.json()) as Page };
  };
  const all = (await get("", admin)).body;
  expect(all.entries.map(({ kind }) => kind).sort()).toEqual(["registry_change", "registry_change", "run"]);
  expect(all.entries.every(({ actor }) => actor !== null)).toBe(true);
  const own = (await get("", analyst)).body;
  expect(own.entries.map(({ table, summary, actor }) => [table, summary, actor])).toEqual([
    ["shop.orders", "registered", null],
    [null, "run complete", null],
  ]);
  const first = (await get("?limit=1", admin)).body;
  expect(first.entries).toEqual(all.entries.slice(0, 1));
  const rest = (await get(`?before=${encodeURIComponent(first.next!)}`, admin)).body;
  expect(rest).toEqual({ entries: all.entries.slice(1), next: null });
  expect((await get("?table=customers", analyst)).status).toBe(404);
  expect((await get("?before=x", admin)).status).toBe(400);
  expect((await get("?limit=1001", admin)).status).toBe(400);
  expect((await get("?source=none", admin)).status).toBe(400);
  expect((await server.request("/api/timeline")).status).toBe(401);
});
