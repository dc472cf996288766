import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes } from "agnes";
import { definePlugin, int64, permanent, table, type RemoteAttachInfo } from "agnes/kit";
import { createHost, createLog, silentLog, type LogEntry } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import * as v from "valibot";

import { rebuild } from "../../lib/analytics/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";

const rows = table("rows", { id: int64() });
const shape = { version: "1.0.0", description: "A source", options: v.strictObject({}), secrets: {} };

test("remoteTables() returns the access to each remote table, with the reason if it is not attached, and logs no warnings", async () => {
  using folder = temporaryFolder();
  const url = join(folder.path, "other.duckdb");
  {
    await using database = await openDatabase({ path: url });
    await using connection = await database.connect();
    await connection.run("CREATE TABLE rows AS SELECT 7::BIGINT AS id");
  }
  const attached = (name: string, info: Partial<RemoteAttachInfo>) =>
    definePlugin({
      ...shape,
      name,
      capabilities: ["discover", "remote"],
      connect: () => ({
        discover: async () => [rows],
        remote: () => ({ alias: name, extension: "duckdb", url, tokenEnv: "", ...info }),
      }),
    });
  const asked = definePlugin({
    ...shape,
    name: "asked",
    capabilities: ["discover", "read"],
    connect: () => ({
      discover: async () => [rows],
      async *read() {
        yield [{ id: 1 }];
      },
    }),
  });
  const entries: LogEntry[] = [];
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [attached("file", {}), attached("other", { extension: "no_such_extension" }), asked],
    log: createLog((entry) => entries.push(entry)),
    config: {
      version: 1,
      sources: { file: { plugin: "file" }, other: { plugin: "other" }, asked: { plugin: "asked" } },
    },
  });
  expect(await agnes.remoteTables()).toEqual([]);
  for (const source of ["file", "other", "asked"]) {
    const change = {
      source,
      sourceTable: "rows",
      viewName: `${source}_rows`,
      queryMode: "remote",
    } as const;
    await (await agnes.tables()).register(change);
  }
  expect((await agnes.sync()).status).toBe("complete");
  const [live, attachedTable, missing] = await agnes.remoteTables();
  expect(live).toEqual({ id: "asked.rows", accessMode: "live", extension: null, reason: null, remedy: null });
  expect(attachedTable).toEqual({
    id: "file.rows",
    accessMode: "attach",
    extension: "duckdb",
    reason: null,
    remedy: null,
  });
  expect(missing).toMatchObject({ id: "other.rows", accessMode: "none", extension: "no_such_extension" });
  expect(missing!.reason).toContain("no_such_extension is not installed");
  expect(missing!.reason).toContain("its plugin other can neither read nor query");
  expect(missing!.remedy).toBe("Run `agnes doctor --install-extensions`.");
  expect(await agnes.rows("SELECT * FROM file_rows UNION ALL SELECT * FROM asked_rows ORDER BY 1")).toEqual([
    { id: 1 },
    { id: 7 },
  ]);
  expect(entries.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("a rebuild waits a limited time for a plugin that does not connect, and reports its tables", async () => {
  using folder = temporaryFolder();
  const url = join(folder.path, "other.duckdb");
  {
    await using database = await openDatabase({ path: url });
    await using connection = await database.connect();
    await connection.run("CREATE TABLE rows AS SELECT 7::BIGINT AS id");
  }
  let hangs = false;
  const plugin = definePlugin({
    ...shape,
    name: "slow",
    capabilities: ["discover", "remote"],
    connect: async () => {
      if (hangs) await new Promise(() => {});
      return {
        discover: async () => [rows],
        remote: () => ({ alias: "slow", extension: "duckdb", url, tokenEnv: "" }),
      };
    },
  });
  const config = { version: 1, sources: { slow: { plugin: "slow" } } } as const;
  await using agnes = await createAgnes({ workspace: folder.path, plugins: [plugin], config });
  const tables = await agnes.tables();
  await tables.register({ source: "slow", sourceTable: "rows", queryMode: "remote" });
  expect((await agnes.sync()).status).toBe("complete");
  await rm(join(folder.path, "data/analytics"), { recursive: true });
  hangs = true;
  const { plugins, workspace } = agnes;
  const services = {
    host: createHost(),
    log: silentLog,
    limits: {},
    plugins,
    tables,
    workspace,
    publishedStates: () => async () => undefined,
  };
  const { remotes } = await rebuild(services, { connectTimeoutMs: 100 });
  expect(remotes).toEqual([
    {
      id: "slow.rows",
      accessMode: "live",
      reason: "requesting the attach settings of source slow did not finish within 100 ms",
    },
  ]);
});

test.each([{ capabilities: ["remote"] }, { capabilities: ["discover", "remote"] }] as const)(
  "a remote table that cannot be attached is unavailable when its plugin has only $capabilities",
  async ({ capabilities }) => {
    using folder = temporaryFolder();
    const url = join(folder.path, "absent.duckdb");
    const plugin = definePlugin({
      ...shape,
      name: "rm",
      capabilities: [...capabilities],
      connect: () => ({
        ...(capabilities.length === 2 && { discover: async () => [rows] }),
        remote: () => ({ alias: "rm", extension: "duckdb", url, tokenEnv: "" }),
      }),
    } as never);
    const config = { version: 1, sources: { rm: { plugin: "rm" } } } as const;
    await using agnes = await createAgnes({ workspace: folder.path, plugins: [plugin], config });
    const tables = await agnes.tables();
    await tables.register({ source: "rm", sourceTable: "rows", queryMode: "remote" });
    await agnes.sync();
    const failure = await agnes.rows("SELECT * FROM rows").catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "remote_unavailable" });
    expect(String(failure)).toContain("its connector cannot read it either");
    const [found] = await agnes.remoteTables();
    // Remedies that the plugin does not support are not suggested.
    expect(found!.remedy).toContain("Correct that and run `agnes sync rm`");
    expect(found!.remedy).not.toContain("local");
  },
);

test("remoteTables() does not report a source that cannot be connected as live, and connects once", async () => {
  using folder = temporaryFolder();
  let isDown = false;
  let connections = 0;
  const plugin = definePlugin({
    ...shape,
    name: "down",
    capabilities: ["discover", "read"],
    connect: () => {
      connections += 1;
      if (isDown) throw permanent("the tenant was closed");
      return {
        discover: async () => [rows, table("others", { id: int64() })],
        async *read() {
          yield [{ id: 1 }];
        },
      };
    },
  });
  const config = { version: 1, sources: { down: { plugin: "down" } } } as const;
  await using agnes = await createAgnes({ workspace: folder.path, plugins: [plugin], config });
  const tables = await agnes.tables();
  for (const name of ["rows", "others"])
    await tables.register({ source: "down", sourceTable: name, queryMode: "remote" });
  await agnes.sync();
  expect((await agnes.remoteTables()).map(({ accessMode }) => accessMode)).toEqual(["live", "live"]);
  isDown = true;
  connections = 0;
  const found = await agnes.remoteTables();
  expect(found.map(({ accessMode }) => accessMode)).toEqual(["none", "none"]);
  expect(found[0]!.reason).toContain("the tenant was closed");
  expect(connections).toBe(1);
});
