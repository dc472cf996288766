import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";
import { AgnesError, definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

import { temporaryFolder } from "./workspace.ts";

test.each(["ndjson", "json"] as const)(
  "a live table of %s has the texts that stand in the file, whatever they look like",
  async (format) => {
    using folder = temporaryFolder();
    const rows = [
      { id: 1, code: "007", day: "2026-01-01 00:00", extra: { a: 1.0 } },
      { id: 2, code: "1e3", day: null },
    ];
    const path = join(folder.path, `rows.${format}`);
    const texts = rows.map((row) => JSON.stringify(row));
    await writeFile(path, format === "ndjson" ? texts.join("\n") : `[${texts.join(",")}]`);
    const plugin = definePlugin({
      name: "live",
      version: "1.0.0",
      description: "A file",
      capabilities: ["discover", "read"],
      options: v.strictObject({}),
      secrets: {},
      connect: () => ({
        discover: async () => [table("rows", { id: int64(), code: utf8(), day: utf8(), extra: utf8() })],
        async *read() {
          yield { kind: "file" as const, format, data: path };
        },
      }),
    });
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      config: { version: 1, sources: { s: { plugin: "live" } } },
    });
    await (await agnes.tables()).register({ source: "s", source_table: "rows", query_mode: "remote" });
    await agnes.sync();
    expect(await agnes.rows("SELECT * FROM rows ORDER BY id")).toEqual([
      { id: 1, code: "007", day: "2026-01-01 00:00", extra: '{"a":1}' },
      { id: 2, code: "1e3", day: null, extra: null },
    ]);
  },
);

test("a live table that cannot be read fails the query with the reason, and is listed all the same", async () => {
  using folder = temporaryFolder();
  const found: { problem?: AgnesError } = {};
  const plugin = definePlugin({
    name: "live",
    version: "1.0.0",
    description: "A table",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [
        found.problem === undefined
          ? table("rows", { id: int64() }, { notes: ["half of it"] })
          : table("rows", {}, { problem: found.problem }),
      ],
      async *read() {
        yield [{ id: 1 }];
      },
    }),
  });
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: { version: 1, sources: { s: { plugin: "live" } } },
  });
  await (await agnes.tables()).register({ source: "s", source_table: "rows", query_mode: "remote" });
  const { sources } = await agnes.sync();
  expect(sources[0]!.stats!.tables[0]!.notes).toContain("half of it");
  found.problem = new AgnesError("source_path_empty", { path: "rows.csv" });
  const failure = await agnes.rows("SELECT * FROM rows").catch((error: unknown) => error);
  expect(failure).toMatchObject({ message: expect.stringContaining("rows.csv") });
  expect(await agnes.sync()).toMatchObject({ status: "failed", sources: [{ stats: { tablesFailed: 1 } }] });
});
