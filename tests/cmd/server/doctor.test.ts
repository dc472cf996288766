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
    const checks = ["health ok", "catalog ok", "registry unknown", "query ok", "metrics unknown"];
    expect(await doctor(address, token)).toMatchObject({ status: 0, checks });
    isBroken = true;
    const broken = await doctor(address, token);
    expect([broken.status, broken.checks[3]]).toEqual([1, "query error"]);
  });

  test("it names the sources whose new rows are not visible, and the next command", async () => {
    const outdated = { sources: ["crm", "shop"], hint: "Run `agnes sync`." };
    const address = listen((request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/api/health")
        return Response.json({ status: "degraded", db_schema: "ok", failed: [], outdated });
      return fakes[pathname]?.() ?? denied();
    });
    const { status, text } = await doctor(address, "t");
    const [health] = (JSON.parse(text) as { checks: readonly object[] }).checks;
    expect([status, health]).toEqual([
      1,
      {
        name: "health",
        state: "error",
        message: "degraded: queries return earlier rows of crm, shop",
        hint: "Run `agnes sync` on the server.",
      },
    ]);
  });

  test("it warns of each source whose health check failed", async () => {
    const source = (name: string, state: string) => ({ name, health: { state, reason: `${name} is away` } });
    const health = { status: "ok", sources: [source("crm", "failed"), source("shop", "ok")] };
    const address = listen((request) => {
      const { pathname } = new URL(request.url);
      return pathname === "/api/health" ? Response.json(health) : (fakes[pathname]?.() ?? denied());
    });
    const { status, checks, text } = await doctor(address, "t");
    expect([status, checks.slice(0, 3)]).toEqual([0, ["health ok", "health of crm warning", "catalog ok"]]);
    expect(text).toContain("crm is away");
  });

  test("it reports an address where nothing responds once", async () => {
    const { status, checks } = await doctor("http://127.0.0.1:1", "t");
    expect([status, checks]).toEqual([1, ["health error"]]);
  });

  test("it stops when the server rejects its token, because failed sign-ins are limited", async () => {
    await using shop = await served();
    const paths: string[] = [];
    const address = listen(async (request) => {
      paths.push(new URL(request.url).pathname);
      return shop.agnes.fetch(request);
    });
    const wrong = await doctor(address, `agnes_${"a".repeat(12)}_${"b".repeat(43)}`);
    expect([wrong.status, wrong.checks, paths]).toEqual([1, ["health error"], ["/api/health"]]);
    expect(wrong.text).toContain("agnes token create NAME");
    paths.length = 0;
    const none = await doctor(address, "");
    const checked = [1, ["health ok", "catalog error"], ["/api/health", "/api/v2/catalog"]];
    expect([none.status, none.checks, paths]).toEqual(checked);
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

  test("an address without a protocol is an error that names both, without a password", async () => {
    for (const [address, shown] of [
      ["127.0.0.1:18212", "127.0.0.1:18212"],
      ["localhost:18211", "localhost:18211"],
      ["user:hunter2@agnes.example.com/a", "agnes.example.com"],
      ["hunter2:hunter2/@host:80", "host:80"],
    ] as const) {
      const { code, message } = await failureOf(() => openServer(address));
      expect(code).toBe("server_address_invalid");
      expect(message).toBe(
        `the server "${shown}" cannot be used: http:// or https:// is missing, as in http://127.0.0.1:8080`,
      );
    }
  });

  test("a token that no header can have is invalid, and is not printed", async () => {
    for (const token of ["hunter2\nx", "hunter2 x", "hunter2é"]) {
      const { code, message, hint } = await failureOf(() => openServer("http://127.0.0.1:1", { token }));
      expect([code, message]).toEqual([
        "token_invalid",
        expect.stringContaining("AGNES_TOKEN is not a valid token"),
      ]);
      expect(message + hint).not.toContain("hunter2");
    }
    expect(openServer("http://127.0.0.1:1", { token: "t\n" }).address).toBe("http://127.0.0.1:1");
  });

  test("a server that does not listen: the hint names AGNES_SERVER if it has the address", async () => {
    for (const isDefault of [false, true]) {
      const closed = openServer("http://127.0.0.1:1", { token: "t", isDefault });
      const { message, hint } = await failureOf(() => closed.json("/x"));
      expect(message).toBe(
        'the connection to the server "http://127.0.0.1:1" failed: no server listens there',
      );
      expect(hint.includes("The address is from AGNES_SERVER; `--workspace DIR` uses")).toBe(isDefault);
    }
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
