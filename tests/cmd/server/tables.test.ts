import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { mainCommand } from "../../../cmd/main-command.ts";
import { resolved, type AnyCommand } from "../../../cmd/cli/command.ts";
import { serverAdvice } from "../../../cmd/server/advice.ts";
import { served, type Served } from "../../serve/harness.ts";
import { runCli, temporaryDirectory, type CliResult } from "../run-cli.ts";

let shop: Served;
let server: ReturnType<typeof Bun.serve>;
let token: string;
/** Runs before the next request of this method. */
let before: { readonly method: string; readonly work: () => Promise<unknown> } | null = null;
/** A copy of the workspace, for the commands without a server. */
let copy: ReturnType<typeof temporaryDirectory>;

beforeEach(async () => {
  shop = await served();
  copy = temporaryDirectory();
  token = await shop.token({ name: "ops" });
  const exports = join(shop.directory, "exports");
  const config = `version: 1\nsources:\n  shop: { plugin: files, options: { path: ${exports} } }\n`;
  await cp(shop.directory, copy.path, { recursive: true });
  await writeFile(join(copy.path, "agnes.yaml"), config);
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    development: false,
    async fetch(request) {
      if (request.method === before?.method) {
        const { work } = before;
        before = null;
        await work();
      }
      return shop.agnes.fetch(request);
    },
  });
});
afterEach(async () => {
  await server.stop(true);
  await shop[Symbol.asyncDispose]();
  await rm(copy.path, { recursive: true, force: true });
});

const url = () => `http://127.0.0.1:${server.port}`;
const remote = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  runCli(args, { cwd: "/", env: { AGNES_SERVER: url(), AGNES_TOKEN: token, ...env } });
const local = (args: readonly string[]) => runCli(args, { cwd: copy.path, env: { USER: "WHO" } });

/** A result without times, authors and the marks of commands for the server. */
function comparable({ status, stdout, stderr }: CliResult) {
  const clean = (text: string) =>
    text
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replaceAll(/, \d+(\.\d+)? m?s$/gm, "")
      .replaceAll(/ops \([0-9a-z]{12}\)/g, "WHO")
      .replaceAll(" on the server", "")
      .replaceAll(/^( *\d+ +TIME +)\S+/gm, "$1WHO")
      .replaceAll(/("(?:actor|registered_by|registeredBy)": ?)"[^"]*"/g, "$1WHO")
      .replaceAll(/^registered_by .*$/gm, "")
      .replaceAll(/ +/g, " ")
      .replaceAll(/─+/g, "─");
  return { status, stdout: clean(stdout), stderr: clean(stderr) };
}

async function expectSame(args: readonly string[]): Promise<CliResult> {
  const [ofServer, ofWorkspace] = [await remote(args), await local(args)];
  expect([args, comparable(ofServer)]).toEqual([args, comparable(ofWorkspace)]);
  return ofServer;
}

describe("with a server, a command prints the same as with a workspace", () => {
  test("schema and sample", async () => {
    for (const args of [
      ["schema", "orders"],
      ["schema", "SHOP.ORDERS", "--json"],
      ["sample", "orders", "--rows", "2"],
      ["sample", "shop.orders", "--json"],
      ["sample", "orders", "--rows", "0"],
    ])
      await expectSame(args);
    const random = await remote(["sample", "orders", "--random", "--rows", "2", "--json"]);
    expect(JSON.parse(random.stdout)).toHaveLength(2);
  }, 60_000);

  test("runs, timeline and profile", async () => {
    const [run] = await (await shop.agnes.runs()).list();
    await shop.agnes.profile("orders", { compute: "always" });
    for (const args of [
      ["runs"],
      ["runs", "shop", "--limit", "1", "--json"],
      ["runs", run!.id],
      ["runs", run!.id, "--json"],
      ["runs", "shopp"],
      ["timeline"],
      ["timeline", "orders", "--limit", "1", "--json"],
      ["timeline", "--source", "shop"],
      ["timeline", "--limit", "1001"],
      ["profile", "orders"],
      ["profile", "SHOP.ORDERS", "--column", "id"],
      ["profile", "orders", "--column", "ib"],
      ["profile", ".."],
    ])
      await expectSame(args);
    const limited = await remote(["runs", "--limit", "1001"]);
    expect([limited.status, limited.stderr]).toEqual([2, expect.stringContaining("at most 1000")]);
    const refreshed = await remote(["profile", "orders", "--refresh"]);
    expect([refreshed.status, refreshed.stderr]).toEqual([
      2,
      expect.stringContaining("--refresh is not available with a server"),
    ]);
  }, 60_000);

  test("a table that does not exist, with what to run on the server", async () => {
    for (const command of ["schema", "sample"]) {
      const { status, stderr } = await expectSame([command, "order"]);
      expect([status, stderr]).toEqual([2, expect.stringContaining("table_unknown")]);
    }
    await expectSame(["table", "show", "order"]);
    for (const name of ["", ".", ".."]) {
      for (const command of [["schema"], ["sample"], ["table", "show"], ["table", "unregister", "--yes"]])
        expect((await expectSame([...command, name])).stderr).toContain("is not the name of a table");
      const update = await expectSame(["table", "update", name, "--folder", "a"]);
      expect([update.status, update.stderr]).toEqual([2, expect.stringContaining("usage_wrong")]);
    }
  }, 60_000);

  test("every subcommand of table that takes --server", async () => {
    for (const args of [
      ["list"],
      ["list", "ORD", "--json"],
      ["list", "--source", "none"],
      ["list", "--mode", "remote"],
      ["list", "--bucket", "b", "--dataset", "d"],
      ["show", "orders"],
      ["show", "shop.customers", "--all", "--json"],
      ["register", "shop", "refunds", "--as", "returns", "--schedule", "every 6h", "--dry-run"],
      ["register", "shop", "refunds", "--schedule", "sometimes"],
      ["register", "shop", "refunds", "--as", "returns", "--schedule", "every 6h", "--folder", "sales"],
      ["register", "shop", "refunds"],
      ["register", "shops", "refunds"],
      ["discover", "shop", "none"],
      ["register", "shop", "other", "--as", "returns", "--json"],
      ["register", "shop", "more", "--json", "--expect-version", "1"],
      ["update", "returns", "--description", "All returns", "--dry-run", "--json"],
      ["update", "returns", "--description", "All returns"],
      ["update", "returns", "--description", "All returns"],
      ["update", "returns", "--primary-key", "id,day", "--json"],
      ["update", "orders", "--primary-key", "nothing"],
      ["update", "shop.refunds", "--clear", "schedule", "--expect-version", "1"],
      ["update", "nothing", "--clear", "schedule"],
      ["show", "returns"],
      ["folder", "in.c-crm", "crm", "--dry-run", "--json"],
      ["folder", "in.c-crm", "crm"],
      ["folder", "in.c-crm", "crm", "--json"],
      ["folder"],
      ["folder", "in.c-crm", "--json"],
      ["folder", "in.c-crm", "--clear", "--expect-version", "2"],
      ["history", "--json"],
      ["history", "returns", "--limit", "2"],
      ["unregister", "customers", "--dry-run"],
      ["unregister", "returns", "--json", "--yes"],
      ["unregister", "customers", "--yes"],
      ["history", "shop.customers"],
      ["discover", "--dry-run"],
      ["discover", "--again", "--json"],
      ["discover", "shop"],
    ])
      await expectSame(["table", ...args]);
  }, 240_000);
});

describe("with a server", () => {
  test("update and unregister expect the version that they read, and print what changed since", async () => {
    const change = (description: string) => ({
      method: "",
      work: async () => (await shop.agnes.tables()).update("shop.orders", { description }),
    });
    before = { ...change("one"), method: "PUT" };
    const update = await remote(["table", "update", "orders", "--folder", "a"]);
    expect([update.status, update.stderr]).toEqual([1, expect.stringMatching(/since then: .*description/s)]);
    before = { ...change("two"), method: "DELETE" };
    const unregister = await remote(["table", "unregister", "orders", "--yes"]);
    expect([unregister.status, unregister.stderr]).toEqual([
      1,
      expect.stringContaining("table_version_stale"),
    ]);
    expect((await remote(["table", "show", "orders", "--json"])).stdout).toContain('"two"');
  }, 60_000);

  test("options of a workspace are rejected by name", async () => {
    for (const [args, reason] of [
      [["table", "history", "orders", "--generations"], "--generations is not available with a server"],
      [
        ["query", "SELECT 1", "--register-max-rows", "1", "--keys", "a=b"],
        "--keys and --register-max-rows are not available with a server",
      ],
      [["table", "history", "--limit", "1001"], "--limit is at most 1000 with a server"],
      [["doctor", "--install-extensions"], "--install-extensions is not available with a server"],
      [["sync", "--server", url()], "--server is not available: `agnes sync` works on a workspace only"],
      [["table", "list", "--server", url(), "--workspace", "/"], "--server and --workspace exclude"],
    ] as const)
      expect([args, await remote(args)]).toEqual([
        args,
        expect.objectContaining({ status: 2, stderr: expect.stringContaining(reason) }),
      ]);
  }, 60_000);

  test("AGNES_SERVER has no effect on other commands and beside --workspace, and they state that", async () => {
    const env = { AGNES_SERVER: "http://127.0.0.1:1", AGNES_TOKEN: "" };
    const run = (...args: string[]) => runCli(args, { cwd: copy.path, env });
    const exported = await run("table", "export", "--format", "json");
    expect([exported.status, exported.stderr]).toEqual([
      0,
      "`agnes table export` works on the workspace, not on the server of AGNES_SERVER\n",
    ]);
    const listed = await run("table", "list", "--workspace", ".");
    expect([listed.status, listed.stderr]).toEqual([0, ""]);
    expect((await run("table", "list")).stderr).toContain("server_unreachable");
  }, 60_000);

  test("hints name commands that work there", async () => {
    const flags = ["--server", url()];
    const hintOf = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
      const { stderr } = await runCli(args, { cwd: "/", env: { AGNES_TOKEN: token, ...env } });
      return /^ hint {2}(.*)$/m.exec(stderr)?.[1];
    };
    const exists = ["table", "register", "shop", "orders"];
    expect(await hintOf(exists, { AGNES_SERVER: url() })).toStartWith(
      "`agnes table show shop.orders` prints",
    );
    expect(await hintOf([...exists, ...flags], {})).toStartWith(
      `\`agnes table show shop.orders --server ${url()}\` prints`,
    );
    expect(await hintOf(["table", "show", "x", ...flags], {})).toStartWith(
      `\`agnes table list --server ${url()}\` lists`,
    );
    const analyst = await shop.token({ role: "analyst" });
    for (const [AGNES_TOKEN, hint] of [
      [analyst, "created with `agnes token create NAME --role admin` on the server."],
      ["wrong", "`agnes token list` on the server shows the tokens"],
      ["", "Set AGNES_TOKEN to a token of the server."],
    ] as const)
      expect(await hintOf(["table", "list", ...flags], { AGNES_TOKEN })).toContain(hint);
    await (await shop.agnes.tables()).register({ source: "shop", sourceTable: "later" });
    expect(await hintOf(["sample", "later", ...flags], {})).toBe(
      "It is registered as shop.later; run `agnes sync shop.later` on the server to publish it.",
    );
  }, 60_000);
});

test("serverAdvice() knows which commands take --server", async () => {
  const visit = async (command: AnyCommand, path: string) => {
    const subCommands = Object.entries((await resolved(command.subCommands)) ?? {});
    for (const [name, sub] of subCommands)
      await visit((await resolved(sub)) as AnyCommand, `${path} ${name}`);
    const { server } = ((await resolved(command.args)) ?? {}) as Record<string, { readonly type?: string }>;
    const takesServer = server !== undefined && server.type !== "positional";
    // Advice to check or to compute is for the machine of the server, and `agnes pull` has its own argument.
    const isUsed = takesServer && !["agnes doctor", "agnes profile"].includes(path);
    if (path === "agnes pull")
      return expect(serverAdvice("`agnes pull X`", "https://a")).toBe("`agnes pull X`");
    if (subCommands.length === 0)
      expect(serverAdvice(`\`${path} X\``, "https://a")).toBe(
        isUsed ? `\`${path} X --server https://a\`` : `\`${path} X\` on the server`,
      );
  };
  await visit(mainCommand, "agnes");
});

test("serverAdvice() changes commands only", () => {
  const advice = (text: string) => serverAdvice(text, "https://a");
  expect(advice("see `agnes table update --help` and `max_bytes`")).toBe(
    "see `agnes table update --help` and `max_bytes`",
  );
  expect(advice("Run `agnes table export` or `agnes query X`.")).toBe(
    "Run `agnes table export` on the server or `agnes query X --server https://a`.",
  );
});
