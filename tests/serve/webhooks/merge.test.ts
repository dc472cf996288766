import { expect, test } from "bun:test";

import files from "../../../plugins/files/plugin.ts";
import { served } from "../harness.ts";
import { boardPlugin, deletion, delivery, KEY, signed } from "./board.ts";

test("a pushed request becomes a row after the next sync, once, until a deletion removes it", async () => {
  const { plugin } = boardPlugin();
  await using site = await served({
    plugins: [files, plugin],
    config: { version: 1, sources: { board: { plugin: "board" } } },
    host: { env: { BOARD_KEY: KEY } },
  });
  const token = await site.token();
  const push = async (body: string) => {
    expect((await site.request("/webhooks/board", signed(body))).status).toBe(202);
  };
  const spooled = async () => {
    const response = await site.request("/webhooks/board/health", { token });
    return ((await response.json()) as { spooled_events: number }).spooled_events;
  };
  const sync = async () => {
    const { sources } = await site.agnes.sync({ only: ["board"] });
    const { merged, replayed } = sources[0]!.events!;
    return [merged, replayed];
  };
  const ids = async () => {
    const response = await site.request("/api/query", {
      token,
      json: { sql: "SELECT id FROM comments ORDER BY id" },
    });
    const { rows } = (await response.json()) as { rows: readonly (readonly unknown[])[] };
    expect(response.status).toBe(200);
    return rows;
  };
  await push(delivery(1));
  await push(delivery(2));
  expect(await spooled()).toBe(2);
  // Without a sync the table does not exist.
  expect((await site.request("/api/query", { token, json: { sql: "FROM comments" } })).ok).toBe(false);
  expect(await sync()).toEqual([2, 0]);
  expect(await spooled()).toBe(0);
  const first = await ids();
  expect(first.map(([id]) => Number(id))).toEqual([1, 2]);
  await push(delivery(1));
  expect(await sync()).toEqual([0, 1]);
  expect(await ids()).toEqual(first);
  await push(deletion(1));
  expect(await ids()).toEqual(first);
  expect(await sync()).toEqual([1, 0]);
  expect(await ids()).toEqual([first[1]!]);
  const catalog = await site.request("/api/v2/catalog", { token });
  expect(JSON.stringify(await catalog.json())).toContain("board.comments");
});
