import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";

import { served, type Served } from "../../serve/harness.ts";
import { runCli, temporaryDirectory } from "../run-cli.ts";
import { runOnTerminal } from "../run-on-terminal.ts";

let shop: Served;
let server: ReturnType<typeof Bun.serve>;
beforeAll(async () => {
  shop = await served();
  const tables = await shop.agnes.tables();
  await tables.update("shop.orders", { dataset: "sales", folder: "eu" });
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    fetch: (request) => shop.agnes.fetch(request),
  });
});
afterAll(async () => {
  await server.stop(true);
  await shop[Symbol.asyncDispose]();
});

const environmentOf = (token: string) => ({
  AGNES_TOKEN: token,
  AGNES_SERVER: `http://127.0.0.1:${server.port}`,
});

/** Runs commands as one user, whose subscription no other test has. */
async function userOf(name: string) {
  const token = await shop.token({ name, role: "analyst" });
  const env = environmentOf(token);
  return (...args: readonly string[]) => runCli(["subscription", ...args], { cwd: "/", env });
}

describe("agnes subscription", () => {
  test("export needs a file, and creates its folders as `query --output` does", async () => {
    using folder = temporaryDirectory();
    const agnes = await userOf("di");
    expect((await agnes("export")).stderr).toContain("--rsync FILE is missing");
    const path = join(folder.path, "new/folder/tables.filter");
    const { status, stdout } = await agnes("export", "--rsync", path);
    expect([status, stdout]).toEqual([0, expect.stringContaining(path)]);
    expect(await readFile(path, "utf8")).toContain("- *");
    const inPlace = await agnes("export", "--rsync", "/dev/null");
    expect(inPlace.status).toBe(0);
    expect((await lstat("/dev/null")).isCharacterDevice()).toBe(true);
  });

  test("shows, adds and removes tables, groups and folders", async () => {
    const agnes = await userOf("ann");
    const first = await agnes("show");
    expect([first.status, first.stderr]).toEqual([0, "The mode is all: you subscribe to every table.\n"]);
    const added = await agnes("add", "Orders", "shop.customers", "--group", "sales");
    expect(added.status).toBe(0);
    expect(added.stdout).toContain("in mode explicit");
    expect(added.stderr).toContain(
      "these settings have no effect. `agnes subscription mode explicit` applies them.",
    );
    expect((await agnes("mode", "explicit")).stderr).toBe("The mode is explicit.\n");
    expect((await agnes("remove", "customers", "--folder", "eu")).status).toBe(0);
    const shown = await agnes("show", "--json");
    expect(JSON.parse(shown.stdout)).toEqual({
      table_mode: "explicit",
      tables: { "shop.orders": true, "shop.customers": false },
      groups: { sales: true },
      folders: { eu: false },
    });
    expect((await agnes("show")).stdout).toMatch(/table +shop\.customers +no\n/);
    const nothing = await agnes("remove", "orders", "--group", "sales");
    expect(nothing.stderr).toContain(
      "you subscribe to nothing: the next pull removes all tables of a copy.\n",
    );
    await agnes("add", "orders", "--group", "sales");
    const reset = await agnes("reset", "customers", "--folder", "eu", "--json");
    expect(JSON.parse(reset.stdout)).toMatchObject({ tables: { "shop.orders": true }, folders: {} });
  });

  test("mode explicit shows the tables that the next pull removes", async () => {
    const agnes = await userOf("dee");
    const explicit = async () => {
      const { stderr } = await agnes("mode", "explicit");
      await agnes("mode", "all");
      return stderr.split("\n")[0];
    };
    expect(await explicit()).toBe(
      "The next pull removes 2 of 2 tables from a copy: shop.customers, shop.orders.",
    );
    await agnes("add", "customers");
    expect(await explicit()).toBe("The next pull removes 1 of 2 tables from a copy: shop.orders.");
    await agnes("add", "--folder", "eu");
    expect(await explicit()).toBe("The mode is explicit.");
    await agnes("reset", "--folder", "eu");
    await agnes("add", "--group", "sales");
    expect(await explicit()).toBe(
      "The next pull removes 0 of 2 tables from a copy; groups decide about 1 other table.",
    );
    await agnes("remove", "--folder", "eu");
    expect(await explicit()).toBe("The next pull removes 1 of 2 tables from a copy: shop.orders.");
    await agnes("remove", "--group", "sales");
    expect(await explicit()).toBe("The next pull removes 1 of 2 tables from a copy: shop.orders.");
    expect((await agnes("mode", "explicit", "--json")).stderr).toBe("");
    // It is explicit already.
    expect((await agnes("mode", "explicit")).stderr).toBe("The mode is explicit.\n");
  });

  test("mode explicit asks on a terminal, and changes nothing unless the answer is yes", async () => {
    const env = environmentOf(await shop.token({ name: "eve", role: "analyst" }));
    const onTerminal = (args: readonly string[], answer: string) =>
      runOnTerminal(["subscription", ...args], {
        cwd: "/",
        env,
        question: "Subscribe to the chosen tables only?",
        answer,
      });
    const mode = ["mode", "explicit"];
    const declined = await onTerminal(mode, "n");
    expect([declined.status, declined.text]).toEqual([1, expect.stringContaining("the mode is still all")]);
    expect((await onTerminal(["show"], "")).text).toContain("The mode is all");
    const done = await onTerminal(mode, "y");
    expect([done.status, done.text]).toEqual([0, expect.stringContaining("The mode is explicit")]);
    await onTerminal(["mode", "all"], "");
    const silent = await onTerminal([...mode, "--yes"], "");
    expect([silent.status, silent.text.includes("chosen tables only")]).toEqual([0, false]);
  });

  test("names an unknown table with the nearest one, and changes nothing", async () => {
    const agnes = await userOf("bo");
    const { status, stderr } = await agnes("add", "orders", "ordrs");
    expect(status).toBe(2);
    expect(stderr).toContain('the server lists no table "ordrs"');
    expect(stderr).toContain("Did you mean orders?");
    expect(JSON.parse((await agnes("show", "--json")).stdout)).toMatchObject({ tables: {} });
  });

  test("rejects what has no effect, and explains a missing server", async () => {
    const agnes = await userOf("cy");
    expect((await agnes("add")).stderr).toContain("it needs a table, --group or --folder");
    const unknown = await agnes("add", "--group", "nothing");
    expect(unknown.stderr).toContain("subscription_unknown");
    expect(unknown.stderr).toContain('has the group "nothing"');
    expect((await agnes("mode", "some")).stderr).toContain('MODE cannot be "some"');
    const { status, stderr } = await runCli(["subscription", "show"], { cwd: "/", env: {} });
    expect(status).toBe(2);
    expect(stderr).toContain("Add --server URL, or set AGNES_SERVER.");
  });
});
