import { describe, expect, test } from "bun:test";

import { isAgnesError } from "../../../lib/base/mod.ts";
import { checkRequest } from "../../../lib/serve/auth/check-request.ts";

interface Case {
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly hosts?: readonly string[];
  readonly publicUrl?: string;
  readonly corsOrigins?: readonly string[];
}

function outcome({
  method = "GET",
  headers,
  hosts,
  publicUrl = null as never,
  corsOrigins = [],
}: Case): string {
  const request = new Request("http://127.0.0.1:8080/api/health", { method, headers });
  try {
    checkRequest(request, hosts, { publicUrl, corsOrigins: [...corsOrigins] });
    return "passes";
  } catch (error) {
    if (isAgnesError(error)) return error.code;
    throw error;
  }
}

const hosts = ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"];
const host = "127.0.0.1:8080";
const publicUrl = "https://agnes.example.com";
const cookie = `a=1; agnes_session=${"a".repeat(43)}`;

describe("checkRequest", () => {
  test("the whole Host must be one of the server", () => {
    const seen = [
      "127.0.0.1:8080",
      "LocalHost:8080",
      "[::1]:8080",
      "127.0.0.1:8080, evil.example",
      "evil.example, 127.0.0.1:8080",
      "127.0.0.1",
      "127.0.0.1:8081",
      "127.0.0.1:8080.evil.example",
      "evil.example",
      "",
    ].map((value) => outcome({ hosts, headers: { host: value } }));
    expect(seen).toEqual([...Array(3).fill("passes"), ...Array(7).fill("host_not_allowed")]);
    expect(outcome({ hosts, headers: {} })).toBe("host_not_allowed");
  });

  test("publicUrl adds its Host, also with its default port, and without hosts is the only one", () => {
    const of = (value: string, some?: readonly string[]) =>
      outcome({ publicUrl, headers: { host: value }, ...(some && { hosts: some }) });
    expect([of("agnes.example.com"), of("agnes.example.com:443"), of("agnes.example.com:80")]).toEqual([
      "passes",
      "passes",
      "host_not_allowed",
    ]);
    expect([of(host), of(host, hosts)]).toEqual(["host_not_allowed", "passes"]);
  });

  test("an Origin must be the server or in corsOrigins", () => {
    const of = (origin: string) =>
      outcome({ hosts, publicUrl, corsOrigins: ["https://app.example"], headers: { host, origin } });
    expect(["http://localhost:8080", publicUrl, "https://app.example"].map(of)).toEqual(
      Array(3).fill("passes"),
    );
    expect(
      [
        "null",
        "http://evil.example",
        "https://127.0.0.1:8080",
        "http://agnes.example.com",
        "http://localhost:80801",
      ].map(of),
    ).toEqual(Array(5).fill("origin_not_allowed"));
  });

  test("a change by cookie needs an Origin of the server", () => {
    const of = (method: string, headers: Readonly<Record<string, string>>) =>
      outcome({ method, hosts, corsOrigins: ["https://app.example"], headers: { host, cookie, ...headers } });
    expect([of("POST", {}), of("DELETE", { origin: "https://app.example" })]).toEqual([
      "origin_not_allowed",
      "origin_not_allowed",
    ]);
    expect([of("POST", { origin: "http://localhost:8080" }), of("GET", {})]).toEqual(["passes", "passes"]);
    expect(of("POST", { authorization: "Bearer x" })).toBe("passes");
  });

  test("without hosts and publicUrl only changes by cookie are checked, against the URL of the request", () => {
    expect(outcome({ headers: { host: "any", origin: "http://evil.example" } })).toBe("passes");
    const of = (origin: string) => outcome({ method: "POST", headers: { cookie, origin } });
    expect([of("http://127.0.0.1:8080"), of("http://evil.example")]).toEqual([
      "passes",
      "origin_not_allowed",
    ]);
  });
});
