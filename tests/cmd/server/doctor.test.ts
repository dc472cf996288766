import { afterAll, describe, expect, test } from "bun:test";

import { isAgnesError } from "../../../lib/base/mod.ts";
import { openServer } from "../../../cmd/server/client.ts";
import { runCli } from "../run-cli.ts";
import { served } from "../../serve/harness.ts";

const open: { stop(force: boolean): unknown }[] = [];
afterAll(() => open.forEach((server) => server.stop(true)));

function listen(handle: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", development: false, fetch: handle });
  open.push(server);
  return `http://127.0.0.1:${server.port}`;
}

const denied = () =>
  Response.json(
    {
      error: {
        code: "role_missing",
        message: "this needs the role admin",
        hint: "h",
        details: { role: "admin" },
      },
    },
    { status: 403 },
  );

describe("agnes doctor --server", () => {
  // The routes of the catalog, the registry and of queries are fakes.
  const fakes: Record<string, () => Response> = {
    "/api/v2/catalog": () => Response.json({ tables: [{}, {}] }),
    "/api/admin/registry": () => Response.json({ version: 3, tables: [{}] }),
    "/api/query": () => new Response("answer\n42\n"),
  };

  const doctor = async (address: string, token: string) => {
    const result = await runCli(["doctor", "--server", address, "--json"], {
      cwd: "/",
      env: { AGNES_TOKEN: token },
      alone: true,
    });
    const { checks } = JSON.parse(result.stdout) as {
      checks: readonly { name: string; state: string; message: string }[];
    };
    return {
      status: result.status,
      checks: checks.map(({ name, state }) => `${name} ${state}`),
      text: result.stdout,
    };
  };

  test("it checks health, catalog, registry, one query and metrics", async () => {
    await using shop = await served();
    const address = listen(async (request) => {
      const fake = fakes[new URL(request.url).pathname];
      return fake === undefined ? shop.agnes.fetch(request) : fake();
    });
    expect(await doctor(address, await shop.token())).toMatchObject({
      status: 0,
      checks: ["health ok", "catalog ok", "registry ok", "query ok", "metrics ok"],
    });
  });

  test("it skips what an analyst may not see, and fails if a part fails", async () => {
    await using shop = await served();
    let isBroken = false;
    const address = listen(async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/api/admin/registry") return denied();
      if (isBroken && pathname === "/api/query") return new Response("<html>", { status: 502 });
      return fakes[pathname]?.() ?? shop.agnes.fetch(request);
    });
    const token = await shop.token({ role: "analyst" });
    const checks = ["health ok", "catalog ok", "registry warning", "query ok", "metrics warning"];
    expect(await doctor(address, token)).toMatchObject({ status: 0, checks });
    isBroken = true;
    const broken = await doctor(address, token);
    expect([broken.status, broken.checks[3]]).toEqual([1, "query failed"]);
  });
});

describe("openServer", () => {
  const failureOf = async (work: () => unknown) => {
    try {
      await work();
    } catch (error) {
      if (isAgnesError(error)) return { code: error.code, message: error.message, hint: error.hint };
      throw error;
    }
    throw new Error("it did not fail");
  };

  test("it rejects addresses that would show the token on a network", async () => {
    for (const address of [
      "http://agnes.example.com",
      "http://10.0.0.1",
      "ftp://localhost",
      "x",
      "https://a/b",
    ])
      expect((await failureOf(() => openServer(address))).code).toBe("server_address_invalid");
    const secret = await failureOf(() => openServer("https://user:hunter2@agnes.example.com"));
    expect(secret.message).not.toContain("hunter2");
    for (const address of [
      "https://agnes.example.com",
      "http://localhost:1",
      "http://[::1]:1",
      "http://127.0.0.2",
    ])
      expect(openServer(address).address).toStartWith("http");
  });

  test("it never follows a redirect", async () => {
    let requests = 0;
    const other = listen(() => {
      requests += 1;
      return Response.json({});
    });
    const address = listen(() => Response.redirect(`${other}/`, 307));
    const server = openServer(address, { token: "secret" });
    expect((await failureOf(() => server.json("/api/health"))).code).toBe("server_response_invalid");
    expect(requests).toBe(0);
  });

  test("it throws the errors of the server with their texts", async () => {
    const server = openServer(listen(denied), { token: "t" });
    expect(await failureOf(() => server.json("/x"))).toEqual({
      code: "role_missing",
      message: "this needs the role admin",
      hint: "h",
    });
    const closed = openServer("http://127.0.0.1:1", { token: "t" });
    expect((await failureOf(() => closed.json("/x"))).code).toBe("server_unreachable");
  });
});
