import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";
import { sendRaw, startServer } from "./serve/start-server.ts";

const workspace = temporaryDirectory();
const run = (...args: string[]) => runCli(args, { cwd: workspace.path });
const CONFIG =
  "version: 1\nsources:\n  shop: { plugin: files, options: { path: ./exports } }\n  broken: { plugin: nothing }\n";
const configure = (config: string) => writeFileSync(join(workspace.path, "agnes.yaml"), config);

beforeAll(async () => {
  mkdirSync(join(workspace.path, "exports"));
  mkdirSync(join(workspace.path, "plugins"));
  writeFileSync(join(workspace.path, "exports", "orders.csv"), "id\n1\n");
  writeFileSync(join(workspace.path, "plugins", "bad.ts"), "throw new Error('it is broken');\n");
  configure(CONFIG);
  await run("sync", "shop", "--quiet");
});
afterAll(() => workspace[Symbol.dispose]());

const serve = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
  startServer(workspace.path, args, env);

/** Sends a request of an administrator without the end of its body. */
async function unfinished(port: number) {
  const { stdout } = await run("token", "create", "job", "--role", "admin");
  const socket = connect(port, "127.0.0.1");
  const ended = new Promise<string>((resolve) => {
    let received = "";
    socket.on("data", (data) => (received += data.toString()));
    socket.on("error", () => {});
    socket.on("close", () => resolve(received));
  });
  const head = ["Host: 127.0.0.1:" + port, `Authorization: Bearer ${stdout.trim()}`];
  const first = new Promise((resolve) => socket.once("data", resolve));
  const chunked = ["POST /api/logout HTTP/1.1", ...head, "Transfer-Encoding: chunked", "Connection: close"];
  socket.write(`GET /api/health HTTP/1.1\r\n${head[0]}\r\n\r\n`);
  await first;
  socket.write(`${chunked.join("\r\n")}\r\n\r\n1\r\na\r\n`);
  // The server sends nothing before the body has ended.
  await Bun.sleep(500);
  return {
    finish() {
      socket.write("0\r\n\r\n");
      return ended;
    },
  };
}

describe("agnes token", () => {
  test("agnes token create prints the token once, list shows it without its secret, revoke removes it", async () => {
    const created = await run(
      "token",
      "create",
      "ann",
      "--table",
      "orders",
      "--source",
      "shop",
      "--folder",
      "none",
      "--expires",
      "30d",
    );
    expect([created.status, created.stdout]).toEqual([
      0,
      expect.stringMatching(/^agnes_[0-9a-z]{12}_[\w-]{43}\n$/),
    ]);
    expect(created.stderr).toContain("the folder none does not exist now");
    const [, id, secret] = /^agnes_([0-9a-z]{12})_(.{43})\n$/.exec(created.stdout)!;
    const list = await run("token", "list", "--json");
    expect(list.stdout).not.toContain(secret!);
    const tokens = (JSON.parse(list.stdout) as { readonly tokens: readonly { readonly id: string }[] })
      .tokens;
    expect(tokens.find((token) => token.id === id)).toMatchObject({
      name: "ann",
      role: "analyst",
      grants: { tables: ["shop.orders"], sources: ["shop"], folders: ["none"] },
      last_used_at: null,
    });
    expect((await run("token", "list")).stdout).toMatch(
      new RegExp(`^${id} +ann +analyst +table shop.orders, source shop, folder none +20`, "m"),
    );
    expect((await run("token", "revoke", id!)).status).toBe(0);
    const again = await run("token", "revoke", id!);
    expect([again.status, again.stderr]).toEqual([2, expect.stringContaining("token_unknown")]);
  });

  test("agnes token create rejects what is not valid", async () => {
    for (const [args, reason] of [
      [["a", "--role", "root"], '--role cannot be "root"'],
      [["a", "--expires", "soon"], '--expires cannot be "soon"'],
      [["a", "--role", "admin", "--source", "shop"], "an administrator may access all tables"],
      [[" "], "its name starts or ends with a space"],
    ] as const) {
      const { status, stderr } = await run("token", "create", ...args);
      expect([args, status, stderr]).toEqual([args, 2, expect.stringContaining(reason)]);
    }
  });
});

describe("agnes serve", () => {
  test("agnes serve responds with a broken source, signs in by its link, and ends with 0 at SIGTERM", async () => {
    await using server = await serve();
    const { url, port, child } = server;
    expect(url).toBe(`http://127.0.0.1:${port}`);
    expect((await fetch(`${url}/api/health`)).status).toBe(200);
    await server.logged("a plugin could not be loaded");
    const login = await fetch(server.loginUrl);
    const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
    expect(await (await fetch(`${url}/api/me`, { headers: { cookie } })).json()).toMatchObject({
      role: "admin",
    });
    expect((await fetch(server.loginUrl)).status).toBe(401);
    const log = (await server.logged('"path":"/api/me"')).join("\n");
    expect(log).not.toContain(new URL(server.loginUrl).searchParams.get("code")!);
    child.kill("SIGTERM");
    expect([await child.exited, child.signalCode]).toEqual([0, null]);
  }, 60_000);

  test("the session of a server that was killed is listed no more", async () => {
    const isListed = async () => (await run("token", "list")).stdout.includes("(browser)");
    await using server = await serve();
    await fetch(server.loginUrl);
    expect(await isListed()).toBe(true);
    server.child.kill("SIGKILL");
    await server.child.exited;
    expect(await isListed()).toBe(false);
  }, 60_000);

  test("a token that is revoked by another process fails at the next request", async () => {
    await using server = await serve();
    const { token, id } = JSON.parse((await run("token", "create", "job", "--json")).stdout) as Record<
      string,
      string
    >;
    const me = () => fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${token}` } });
    expect((await me()).status).toBe(200);
    await run("token", "revoke", id!);
    expect((await me()).status).toBe(401);
  }, 60_000);

  test("requests with two Hosts, another Host, none and one that is no host get an error in our shape", async () => {
    await using server = await serve();
    const host = `127.0.0.1:${server.port}`;
    for (const [head, status] of [
      [`GET /api/health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`, 200],
      [`GET /api/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n`, 403],
      [`GET /api/health HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\nConnection: close\r\n`, 403],
      [`GET http://evil.example/api/health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n`, 200],
      ["GET /api/health HTTP/1.1\r\nHost: a/b?c\r\nConnection: close\r\n", 400],
      ["GET /api/health HTTP/1.0\r\n", 400],
    ] as const) {
      const response = await sendRaw(server.port, `${head}\r\n`);
      expect([head, Number(response.split(" ")[1])]).toEqual([head, status]);
      if (status !== 200) expect(JSON.parse(response.split("\r\n\r\n")[1]!)).toHaveProperty("error.code");
    }
  }, 60_000);

  test("SIGHUP reloads agnes.yaml and the env file, keeps sessions, and ignores a bad file", async () => {
    const envFile = join(workspace.path, "serve.env");
    writeFileSync(envFile, "AGNES_DATA_DIR=elsewhere\n");
    await using server = await serve(["--env-file", envFile]);
    const { child, url } = server;
    const login = await fetch(server.loginUrl);
    const headers = { cookie: login.headers.get("set-cookie")!.split(";")[0]! };
    const status = async (origin: string) =>
      (await fetch(`${url}/api/me`, { headers: { ...headers, origin } })).status;
    expect([await status(url), await status("https://app.example")]).toEqual([200, 403]);
    try {
      configure(`${CONFIG}server: { corsOrigins: ["https://app.example"] }\n`);
      child.kill("SIGHUP");
      await server.logged("reloaded agnes.yaml");
      expect([await status(url), await status("https://app.example")]).toEqual([200, 200]);
      configure("version: 2\n");
      child.kill("SIGHUP");
      await server.logged("agnes.yaml was not reloaded");
      expect([await status(url), await status("https://app.example")]).toEqual([200, 200]);
    } finally {
      configure(CONFIG);
    }
    // The env file named another data folder.
    const { id } = (await (await fetch(`${url}/api/me`, { headers })).json()) as { readonly id: string };
    expect((await run("token", "list", "--json")).stdout).not.toContain(id);
  }, 60_000);

  test("after SIGTERM a running request ends and no new one starts; a second SIGTERM ends at once", async () => {
    for (const signals of [1, 2]) {
      await using server = await serve();
      const { child, port } = server;
      const pending = await unfinished(port);
      child.kill("SIGTERM");
      await server.logged("stopping");
      if (signals === 2) {
        child.kill("SIGTERM");
        expect(await child.exited).toBe(143);
        continue;
      }
      await Bun.sleep(200);
      expect(sendRaw(port, "GET /api/health HTTP/1.0\r\n\r\n")).rejects.toThrow("ECONN");
      expect(await pending.finish()).toContain("HTTP/1.1 204");
      expect(await child.exited).toBe(0);
    }
  }, 60_000);

  test("agnes serve rejects a wrong port, one in use, and an address of a network without a token", async () => {
    using empty = temporaryDirectory();
    writeFileSync(join(empty.path, "agnes.yaml"), "version: 1\n");
    const refused = (...args: string[]) => runCli(["serve", ...args], { cwd: empty.path, alone: true });
    for (const port of ["65536", "-1", "x"])
      expect(await refused(`--port=${port}`)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("--port cannot be"),
      });
    const open = await refused("--host", "0.0.0.0", "--port", "0");
    expect(open).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("server_unprotected"),
    });
    await using other = await serve();
    const taken = await refused("--port", String(other.port));
    expect(taken).toMatchObject({ status: 1, stderr: expect.stringContaining("the address is in use") });
    const noFile = await refused("--env-file", "missing.env");
    expect(noFile).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("missing.env: the file does not exist"),
    });
  }, 60_000);

  test("a malformed env file is an error with its line, without its content; on SIGHUP, the earlier one stays", async () => {
    const envFile = join(workspace.path, "lines.env");
    writeFileSync(envFile, "A=1\n");
    await using server = await serve(["--env-file", envFile]);
    writeFileSync(envFile, "A=1\nhunter2\n");
    server.child.kill("SIGHUP");
    const log = (await server.logged("agnes.yaml was not reloaded")).join("\n");
    expect(log).toContain("lines.env:2 sets no variable");
    expect(log).not.toContain("hunter2");
    expect((await fetch(`${server.url}/api/health`)).status).toBe(200);
  }, 60_000);
});
