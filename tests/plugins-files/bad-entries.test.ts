import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import { toExposedName, type TableInfo } from "agnes/kit";

import { makeFolder, rejection, type Folder } from "./support.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
  await folder.write("good.csv", "id\n1\n");
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

const at = (name: string) => join(folder.path, name);
const discovered = async (options?: Record<string, unknown>) => (await folder.connect(options)).tables();

/** The problem of each table; `ok` if it has none. */
const problems = (tables: ReadonlyMap<string, TableInfo>) =>
  Object.fromEntries([...tables].map(([name, { problem }]) => [name, problem?.message ?? "ok"]));

/** Runs without the rights of root, who can read any file. */
async function withoutRights<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid!() !== 0) return work();
  process.seteuid!(65534);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
  }
}

describe("files: entries that are not data", () => {
  test("discover() fails only the table of a pipe, a socket or a device, and opens none", async () => {
    execFileSync("mkfifo", [at("pipe.csv")]);
    await folder.write("events/a.csv", "id\n1\n");
    execFileSync("mkfifo", [at("events/pipe.csv")]);
    const server = createServer().listen(at("socket.csv"));
    await new Promise((resolve) => server.once("listening", resolve));
    const tables = await discovered({ path: ".", tables: { null: { path: "/dev/null" } } });
    await new Promise((resolve) => server.close(resolve));
    expect(problems(tables)).toEqual({
      good: "ok",
      pipe: expect.stringMatching(/pipe\.csv.*named pipe/),
      socket: expect.stringMatching(/socket\.csv.*socket/),
      events: expect.stringMatching(/events\/pipe\.csv.*named pipe/),
      null: expect.stringMatching(/\/dev\/null.*device/),
    });
    const { message } = await (
      await folder.connect()
    ).handle.connector.health!({ signal: AbortSignal.timeout(5000) });
    expect(message).toMatch(/^3 tables in 2 files at .*; 2 of them cannot be read$/);
    expect(tables.get("pipe")!.problem).toMatchObject({ code: "files/entry_unusable" });
  });

  test("discover() ignores pipes and links without the name of a data file", async () => {
    execFileSync("mkfifo", [at("control")]);
    await symlink("nowhere.md", at("README.md"));
    expect(problems(await discovered())).toEqual({ good: "ok" });
  });

  test("discover() fails only the table of a broken link or a link to itself", async () => {
    await symlink("nowhere.csv", at("orders.csv"));
    await symlink("archive-of-last-year", at("archive"));
    await symlink("loop.csv", at("loop.csv"));
    await folder.write("events/2025/a.csv", "id\n1\n");
    await symlink("gone.csv", at("events/2025/b.csv"));
    await symlink("..", at("events/2025/above"));
    await folder.write("round/a.csv", "id\n1\n");
    await symlink("..", at("round/up"));
    const tables = await discovered({ path: ".", tables: { own: { path: "nowhere.csv" } } });
    expect(problems(tables)).toEqual({
      good: "ok",
      orders: expect.stringMatching(/orders\.csv.*link to nothing/),
      archive: expect.stringMatching(/archive.*link to nothing/),
      loop: expect.stringMatching(/loop\.csv.*back to itself/),
      events: expect.stringMatching(/events\/2025\/b\.csv.*link to nothing/),
      round: "ok",
      own: expect.stringMatching(/nowhere\.csv/),
    });
  });

  test("discover() fails only the table of a file whose name is not UTF-8", async () => {
    const name = Buffer.concat([Buffer.from(`${folder.path}/caf`), Buffer.from([0xe9]), Buffer.from(".csv")]);
    await writeFile(name, "id\n1\n");
    await folder.write("caf.csv", "id\n1\n");
    await folder.write("caf\ufffd\ufffd.csv", "id\n1\n");
    await folder.write("日本.csv", "id\n1\n");
    expect(problems(await discovered())).toEqual({
      caf_xe9: expect.stringMatching(/caf\\\\xe9\.csv.*UTF-8/),
      caf: expect.stringMatching(/caf\.csv.*caf\ufffd\ufffd\.csv/),
      good: "ok",
      [toExposedName("日本")]: "ok",
    });
  });

  test("discover() fails only the table of a folder or file without read permission", async () => {
    await folder.write("events/a.csv", "id\n1\n");
    await folder.write("events/eu/b.csv", "id\n1\n");
    await folder.write("closed/a.csv", "id\n1\n");
    await folder.write("secret.csv", "id\n1\n");
    await chmod(folder.path, 0o755);
    await folder.write("logs/a.csv", "id\n1\n");
    await folder.write("logs/eu/b.csv", "id\n1\n");
    const closed = ["events/eu", "logs/eu", "closed"];
    for (const name of [...closed, "secret.csv"]) await chmod(at(name), 0);
    const globbed = { all: { path: "logs/*/*.csv" }, deep: { path: "logs/**/*.csv" } };
    const tables = await withoutRights(() => discovered({ path: ".", tables: globbed }));
    for (const name of closed) await chmod(at(name), 0o755);
    expect(problems(tables)).toEqual({
      good: "ok",
      secret: expect.stringMatching(/secret\.csv/),
      closed: expect.stringMatching(/closed.*EACCES/),
      events: expect.stringMatching(/events\/eu.*EACCES/),
      all: expect.stringMatching(/logs\/eu.*EACCES/),
      deep: expect.stringMatching(/logs\/eu.*EACCES/),
    });
  });

  test("discover() does not treat a folder without read permission as empty", async () => {
    await mkdir(at("exports"));
    await chmod(folder.path, 0o755);
    await chmod(at("exports"), 0);
    const failed = await withoutRights(() => rejection(discovered({ path: "exports" })));
    await chmod(at("exports"), 0o755);
    expect(failed).toMatchObject({ code: "file_failed" });
  });

  test("read() fails for a table whose entry became unreadable after it was listed", async () => {
    await folder.write("events/a.csv", "id\n1\n");
    const source = await folder.connect();
    const table = (await source.tables()).get("events");
    await symlink("gone.csv", at("events/b.csv"));
    expect(await rejection(source.read(table))).toMatchObject({
      message: expect.stringContaining("events/b.csv"),
      code: "files/entry_unusable",
    });
  });

  test("read() finds files that were added after the tables were listed", async () => {
    await folder.write("events/a.csv", "id\n1\n");
    const source = await folder.connect({ path: ".", tables: { logs: { path: "logs/*.csv" } } });
    await folder.write("logs/1.csv", "id\n1\n");
    const tables = await source.tables();
    await folder.write("events/b.csv", "id\n2\n");
    await folder.write("logs/2.csv", "id\n2\n");
    expect(await source.rows(tables.get("events"))).toHaveLength(2);
    expect(await source.rows(tables.get("logs"))).toHaveLength(2);
  });
});

describe("files: links", () => {
  test("discover() follows links that stay inside the folder, and counts a file once", async () => {
    await folder.write("events/2025.csv", "id\n1\n");
    await symlink("2025.csv", at("events/5.csv"));
    await symlink("2025.csv", at("events/1st.csv"));
    await symlink("../good.csv", at("events/other.csv"));
    await symlink("good.csv", at("same.csv"));
    const source = await folder.connect();
    const tables = await source.tables();
    expect(problems(tables)).toEqual({ good: "ok", same: "ok", events: "ok" });
    const { chunks } = await source.read(tables.get("events"));
    expect(chunks.map(({ origin }) => origin)).toEqual(["2025.csv", "other.csv"]);
  });

  test("discover() skips and names links out of the folder, unless `followLinks` is set", async () => {
    await folder.write("outside/orders.csv", "id\n7\n");
    await folder.write("outside/more/a.csv", "id\n8\n");
    await folder.write("outside/notes.md", "");
    await folder.write("in/good.csv", "id\n1\n");
    await folder.write("in/events/a.csv", "id\n1\n");
    await symlink("../outside/orders.csv", at("in/orders.csv"));
    await symlink("../outside/orders.csv", at("in/good.ndjson"));
    await symlink("../outside/more", at("in/more"));
    await symlink("../outside/notes.md", at("in/notes.md"));
    await symlink("../../outside/more", at("in/events/more"));
    await folder.write("in/logs/eu/a.csv", "id\n1\n");
    await symlink("../../outside/more", at("in/logs/us"));
    const options = {
      path: "in",
      tables: { globbed: { path: "in/logs/*/*.csv" }, named: { path: "in/orders.csv" } },
    };
    const tables = await discovered(options);
    const leftOut = [...tables.values()].filter((table) => table.isSkipped === true);
    expect(leftOut.map(({ name }) => name)).toEqual(["more"]);
    expect(tables.get("more")!.problem).toMatchObject({
      code: "files/link_outside",
      hint: expect.stringContaining("followLinks"),
      message: expect.stringMatching(/in\/more.*outside\/more/),
    });
    expect(tables.get("good")!.notes).toEqual([expect.stringContaining("in/good.ndjson")]);
    expect(tables.get("events")!.notes).toEqual([expect.stringContaining("in/events/more")]);
    expect(tables.get("globbed")!.notes).toEqual([expect.stringContaining("in/logs/us")]);
    // A configured path may lead anywhere.
    expect(tables.get("named")!.problem).toBeUndefined();
    const source = await folder.connect({ ...options, followLinks: true });
    const all = await source.tables();
    expect(await source.rows(all.get("more"))).toEqual([{ id: 8n }]);
    expect(await source.rows(all.get("events"))).toEqual([{ id: 1n }, { id: 8n }]);
  });

  test("discover() reads the target folder of a path that is a link", async () => {
    await folder.write("real/orders.csv", "id\n1\n");
    await symlink("orders.csv", at("real/again.csv"));
    await symlink("real", at("link"));
    expect(problems(await discovered({ path: "link" }))).toEqual({ again: "ok", orders: "ok" });
  });
});
