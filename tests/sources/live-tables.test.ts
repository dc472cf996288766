import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, type Files } from "agnes";
import { AgnesError, definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

import { nodeFiles } from "../../lib/base/mod.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";
import { temporaryFolder } from "../sync/workspace.ts";

test.each(["ndjson", "json"] as const)(
  "a live table of %s returns the exact texts of the file",
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
    await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
    await agnes.sync();
    expect(await agnes.rows("SELECT * FROM rows ORDER BY id")).toEqual([
      { id: 1, code: "007", day: "2026-01-01 00:00", extra: '{"a":1}' },
      { id: 2, code: "1e3", day: null, extra: null },
    ]);
  },
);

test.each([true, false])(
  "a live table of a file uses the file system of the host, discovered: %s",
  async (isListed) => {
    using folder = temporaryFolder();
    const path = join(folder.path, "rows.csv");
    await writeFile(path, "id\n1\n");
    const common = {
      name: "live",
      version: "1.0.0",
      description: "A file",
      options: v.strictObject({}),
      secrets: {},
    } as const;
    async function* read() {
      yield { kind: "file" as const, format: "csv" as const, data: path };
    }
    const discover = async () => [table("rows", { id: int64() })];
    const plugin = isListed
      ? definePlugin({ ...common, capabilities: ["discover", "read"], connect: () => ({ discover, read }) })
      : definePlugin({ ...common, capabilities: ["read"], connect: () => ({ read }) });
    const full = { broken: false };
    const files = nodeFiles();
    const failing = faultyFiles(files, { at: 1, stays: true, operations: ["makeTemporaryDirectory"] });
    const makeTemporaryDirectory: Files["makeTemporaryDirectory"] = (prefix) =>
      (full.broken ? failing : files).makeTemporaryDirectory(prefix);
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      config: { version: 1, sources: { s: { plugin: "live" } } },
      host: { files: { ...files, makeTemporaryDirectory } },
    });
    await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
    await agnes.sync();
    full.broken = true;
    const failure = await agnes.rows("SELECT * FROM rows").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "disk_full" });
    full.broken = false;
    expect(await agnes.rows("SELECT * FROM rows")).toEqual([{ id: 1 }]);
  },
);

test("a live table that cannot be read fails the query with the reason, and is still listed", async () => {
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
  await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
  const { sources } = await agnes.sync();
  expect(sources[0]!.stats!.tables[0]!.notes).toContain("half of it");
  found.problem = new AgnesError("source_path_empty", { path: "rows.csv" });
  const failure = await agnes.rows("SELECT * FROM rows").catch((error: unknown) => error);
  // `toMatchObject` would write the matcher into the error, which the next sync reports.
  expect((failure as Error).message).toContain("rows.csv");
  expect(await agnes.sync()).toMatchObject({ status: "failed", sources: [{ stats: { tablesFailed: 1 } }] });
});

test("a live table returns the rows before its failure to a query that needs no more", async () => {
  using folder = temporaryFolder();
  const read = { rows: 0 };
  const plugin = definePlugin({
    name: "live",
    version: "1.0.0",
    description: "A source that breaks off",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [table("rows", { id: int64() })],
      async *read() {
        for (let id = 1; id <= 10; id += 2) {
          read.rows += 2;
          yield [{ id }, { id: id + 1 }];
        }
        throw new Error("the source broke off");
      },
    }),
  });
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: { version: 1, sources: { s: { plugin: "live" } } },
  });
  await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
  await agnes.sync();
  expect(await agnes.rows("SELECT id FROM rows LIMIT 1")).toEqual([{ id: 1 }]);
  // The first page was enough.
  expect(read.rows).toBe(2);
  expect(await agnes.rows("SELECT id FROM rows LIMIT 2 OFFSET 8")).toEqual([{ id: 9 }, { id: 10 }]);
  for (const sql of ["FROM rows", "FROM rows LIMIT 11", "SELECT count(*) AS n FROM rows"]) {
    const failure = await agnes.rows(sql).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringContaining("the source broke off") });
  }
});

test("a live table whose result has parts returns the rows of all, and closes unneeded ones", async () => {
  using folder = temporaryFolder();
  const log: string[] = [];
  const part = (name: string, from: number) =>
    async function* () {
      log.push(`open ${name}`);
      try {
        for (let id = from; id < from + 100; id++) yield [{ id }];
      } finally {
        log.push(`close ${name}`);
      }
    };
  const columns = { id: int64() };
  const plugin = definePlugin({
    name: "parted",
    version: "1.0.0",
    description: "A warehouse with read sessions",
    capabilities: ["discover", "query"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [table("rows", columns)],
      query: async () => ({
        schema: table("rows", columns).schema,
        parts: [part("a", 0), part("b", 100), part("c", 200), part("d", 300), part("e", 400)],
      }),
    }),
  });
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [plugin],
    config: { version: 1, sources: { s: { plugin: "parted" } } },
  });
  await (await agnes.tables()).register({ source: "s", sourceTable: "rows", queryMode: "remote" });
  await agnes.sync();
  const sql = "SELECT count(DISTINCT id) AS n, sum(id)::BIGINT AS s FROM rows";
  expect(await agnes.rows(sql)).toEqual([{ n: 500, s: 124_750 }]);
  expect(log.filter((line) => line.startsWith("close"))).toHaveLength(5);
  log.length = 0;
  expect(await agnes.rows("SELECT id FROM rows LIMIT 1")).toHaveLength(1);
  expect(log).not.toContain("open e");
  expect(log.filter((line) => line.startsWith("close"))).toHaveLength(4);
});

test("a live table that its source no longer lists fails the query with table_vanished, until it is listed", async () => {
  using folder = temporaryFolder();
  const listed = new Set(["rows", "others"]);
  const plugin = definePlugin({
    name: "live",
    version: "1.0.0",
    description: "Tables that come and go",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [...listed].map((name) => table(name, { id: int64() })),
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
  const tables = await agnes.tables();
  await tables.register({ source: "s", sourceTable: "rows", queryMode: "remote" });
  await tables.register({ source: "s", sourceTable: "others", queryMode: "remote" });
  await agnes.sync();
  listed.delete("rows");
  const failure = await agnes.rows("SELECT * FROM rows").catch((error: unknown) => error);
  expect(failure).toMatchObject({
    code: "table_vanished",
    message: 'source s does not list table "rows"',
    hint: expect.stringMatching(/^Check the name.* `agnes table unregister s\.rows`\.$/),
  });
  expect(await agnes.rows("SELECT * FROM others")).toEqual([{ id: 1 }]);
  const { sources } = await agnes.sync();
  expect(sources[0]!.stats!.errors).toMatchObject([
    { table: "rows", error: { hint: (failure as AgnesError).hint } },
  ]);
  // The connection stays open, but its list of tables is not final.
  listed.add("rows");
  expect(await agnes.rows("SELECT * FROM rows")).toEqual([{ id: 1 }]);
});
