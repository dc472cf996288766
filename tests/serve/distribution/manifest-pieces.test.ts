import { expect, test } from "bun:test";

import { manifestOf } from "../../../lib/serve/distribution/manifests.ts";

const TIME = "2026-11-28T00:00:00.000Z";

test("manifestOf() sends many tables in pieces, and each table once", () => {
  const tables = Array.from({ length: 1_000 }, (_, at) => tableOf(`shop.t${at}`, 5_000));
  const pieces = [...{ [Symbol.iterator]: () => manifestOf(tables, "all").pieces(TIME) }];
  expect(pieces.length).toBeGreaterThan(10);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(300_000);
  const sent = JSON.parse(pieces.join("")) as { server_time: string; tables: Record<string, object> };
  expect(sent.server_time).toBe(TIME);
  expect(Object.keys(sent.tables)).toEqual(tables.map(({ id }) => id));
  const [head, ...lines] = pieces.join("").split("\n");
  expect(head).toEndWith('"tables":{');
  expect(lines.map((line) => /^"([^"]*)"/.exec(line)?.[1])).toEqual([
    ...tables.map(({ id }) => id),
    undefined,
  ]);
});

test("manifestOf() sends no tables, and one, in one piece", () => {
  for (const tables of [[], [tableOf("shop.orders", 10)]]) {
    const pieces = [...{ [Symbol.iterator]: () => manifestOf(tables, "explicit").pieces(TIME) }];
    expect(pieces.length).toBe(1);
    const sent = JSON.parse(pieces[0]!) as { tables: Record<string, object> };
    expect(Object.keys(sent.tables)).toEqual(tables.map(({ id }) => id));
  }
});

function tableOf(id: string, length: number): Parameters<typeof manifestOf>[0][number] {
  return {
    id,
    source: "shop",
    name: id.slice(5),
    viewName: id,
    group: null,
    folder: null,
    unavailable: null,
    generation: 1,
    parts: [],
    json: JSON.stringify({ generation: 1, description: "d".repeat(length) }),
    digest: "0",
  };
}
