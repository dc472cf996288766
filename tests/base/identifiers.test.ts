import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";

import {
  AgnesError,
  checkEnvironmentName,
  checkExposedName,
  checkVendorName,
  createLog,
  type LogEntry,
  nearest,
  printable,
  redact,
  Secret,
  toExposedName,
  withTimeout,
} from "../../lib/base/mod.ts";

const HOSTILE = ["", "a\n", "a b", 'a"b', "../a", "a\u0000", "\u202ea", "é", "x".repeat(10_000), "a;drop"];

describe("identifiers", () => {
  test("checkExposedName(), checkVendorName() and checkEnvironmentName() reject hostile names", () => {
    for (const name of HOSTILE) {
      for (const check of [checkExposedName, checkVendorName, checkEnvironmentName]) {
        expect(() => check("the name", name)).toThrow(AgnesError);
      }
    }
    expect(() => checkExposedName("the name", "keboola-crm")).toThrow("keboola-crm");
  });

  test("checkEnvironmentName() does not show a secret in place of its variable", () => {
    expect(() => checkEnvironmentName("the variable", "s3cr3t-value")).toThrow(
      'the variable "(12 characters, not shown)" is not a valid name: the NAME of a variable',
    );
  });

  test("checkVendorName() accepts dots and dashes, checkExposedName() does not", () => {
    expect(checkVendorName("the bucket", "in.c-crm")).toBe("in.c-crm");
    expect(() => checkExposedName("the view", "in.c-crm")).toThrow(AgnesError);
    expect(checkExposedName("the view", "_Orders2")).toBe("_Orders2");
  });

  test("toExposedName() returns distinct names for other scripts, in any normalization form", () => {
    const names = ["заказы", "клиенты", "日本", "中国", "か", "が", "заказы 2024", "клиенты 2024", "٣"];
    const exposed = names.map(toExposedName);
    expect(new Set(exposed).size).toBe(names.length);
    for (const name of exposed) expect(name).toMatch(/^(table|t_2024)_[0-9a-f]{6}$/);
    expect(toExposedName("ЗАКАЗЫ")).toBe(toExposedName("заказы"));
    expect(toExposedName("が".normalize("NFD"))).toBe(toExposedName("が"));
    expect(toExposedName(toExposedName("заказы"))).toBe(toExposedName("заказы"));
    expect(toExposedName(`${"a".repeat(70)}日`)).toHaveLength(64);
  });

  test("toExposedName() always returns a name that checkExposedName() accepts", () => {
    expect(toExposedName("in.c-crm.Orders 2024")).toBe("in_c_crm_orders_2024");
    expect(toExposedName("2024 été")).toBe("t_2024_ete");
    expect(toExposedName("Směna č. 5")).toBe("smena_c_5");
    expect(toExposedName("Sme\u030cna")).toBe("smena");
    expect(toExposedName("Straße Łódź Ærø Þór ĐĦIŊ ŒUVRE ﬁ")).toBe("strasse_lodz_aero_thor_dhin_oeuvre_fi");
    expect(toExposedName("!!!")).toBe("table");
    expect(toExposedName("Sales €")).toBe("sales");
    for (const name of HOSTILE) expect(() => checkExposedName("the name", toExposedName(name))).not.toThrow();
  });
});

describe("secrets", () => {
  test("Secret shows its name and never its value", () => {
    const secret = new Secret("TOKEN", "s3cret-value");
    for (const text of [String(secret), JSON.stringify({ secret }), inspect(secret), "" + secret]) {
      expect(text).toContain("TOKEN");
      expect(text).not.toContain("s3cret-value");
    }
    expect(secret.reveal()).toBe("s3cret-value");
  });

  test("redact() hides secrets, headers, query parameters and user information", () => {
    const text = redact(
      "Authorization: Bearer abc.def-123 at https://u:p@example.com/x?page=2&api_token=zzz&sig=q%2B also my/secret",
      ["my/secret"],
    );
    for (const leak of ["abc.def-123", "u:p@", "zzz", "q%2B", "my/secret"]) expect(text).not.toContain(leak);
    expect(text).toContain("page=2");
  });

  test("createLog() redacts messages and fields and escapes control characters", () => {
    const entries: LogEntry[] = [];
    createLog((entry) => entries.push(entry), ["hunter22"]).warn("got hunter22\u001b[2J", {
      url: "https://h/?token=x",
      n: 1,
    });
    expect(entries).toEqual([
      {
        level: "warn",
        message: "got [redacted]\\u001b[2J",
        fields: { url: "https://h/?token=[redacted]", n: 1 },
      },
    ]);
    expect(printable("a\u202eb\nc")).toBe("a\\u202eb\nc");
  });
});

describe("utilities", () => {
  test("nearest() returns the most similar name, or none", () => {
    expect(nearest("souces", ["version", "sources"])).toBe("sources");
    expect(nearest("zzzzzz", ["version", "sources"])).toBeUndefined();
    expect(nearest("a", [])).toBeUndefined();
  });

  test("withTimeout() aborts with timed_out, forwards an outer signal, and stops when disposed", async () => {
    using timeout = withTimeout("the work", 5);
    await new Promise((resolve) => timeout.signal.addEventListener("abort", resolve));
    expect(timeout.signal.reason).toMatchObject({ code: "timed_out" });
    const outer = new AbortController();
    using forwarded = withTimeout("the work", undefined, outer.signal);
    outer.abort(new Error("stop"));
    expect(forwarded.signal.aborted).toBe(true);
  });
});
