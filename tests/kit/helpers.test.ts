import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";

import { Secret } from "../../lib/base/mod.ts";
import { checkExposedName, checkVendorName, cursorDate, verifyHmac } from "../../lib/kit/mod.ts";

describe("verifyHmac()", () => {
  // A test vector from Atlassian.
  const secret = "It's a Secret to Everybody";
  const body = "Hello World!";
  const hex = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";
  const check = { secret, body, signature: `sha256=${hex}`, prefix: "sha256=" } as const;

  test("verifyHmac() accepts the right signature, in any case of prefix and hex, and by either of two secrets", () => {
    expect(verifyHmac(check)).toBe(true);
    expect(verifyHmac({ ...check, signature: `SHA256=${hex.toUpperCase()}` })).toBe(true);
    expect(verifyHmac({ ...check, body: new TextEncoder().encode(body) })).toBe(true);
    expect(verifyHmac({ ...check, secret: ["the new one", new Secret("OLD", secret)] })).toBe(true);
    const base64 = Buffer.from(hex, "hex").toString("base64");
    expect(verifyHmac({ secret, body, signature: base64, encoding: "base64" })).toBe(true);
    const sha1 = createHmac("sha1", secret).update(body).digest("hex");
    expect(verifyHmac({ secret, body, signature: sha1, algorithm: "sha1" })).toBe(true);
  });

  test("verifyHmac() rejects everything else, including an empty secret", () => {
    const wrong = [
      undefined,
      null,
      "",
      "sha256=",
      hex,
      `sha1=${hex}`,
      `sha256=${hex}00`,
      `sha256=${hex.slice(2)}`,
    ];
    wrong.push(`sha256=${hex.slice(0, -1)}!`, `sha256=b${hex.slice(1)}`, `sha256=${hex}\n`, `sha256= ${hex}`);
    for (const signature of wrong) expect(verifyHmac({ ...check, signature })).toBe(false);
    expect(verifyHmac({ ...check, body: "Hello World" })).toBe(false);
    expect(verifyHmac({ ...check, secret: [] })).toBe(false);
    const empty = createHmac("sha256", "").update(body).digest("hex");
    expect(verifyHmac({ secret: "", body, signature: empty })).toBe(false);
    expect(verifyHmac({ secret: ["", secret], body, signature: empty })).toBe(false);
  });
});

describe("cursorDate()", () => {
  test("cursorDate() parses DuckDB timestamps, never later than their value", () => {
    const dateOf = (value: string) => cursorDate({ column: "at", value, inclusive: true }).toISOString();
    expect(dateOf("2026-01-31")).toBe("2026-01-31T00:00:00.000Z");
    expect(dateOf("2026-01-31 10:00:00")).toBe("2026-01-31T10:00:00.000Z");
    expect(dateOf("2026-01-31 10:00:00.123999")).toBe("2026-01-31T10:00:00.123Z");
    expect(dateOf("2026-01-31 10:00:00+02")).toBe("2026-01-31T08:00:00.000Z");
    expect(dateOf("1969-12-31 23:59:59.9999")).toBe("1969-12-31T23:59:59.999Z");
  });

  test("cursorDate() rejects invalid dates", () => {
    for (const value of ["42", "infinity", "2026-02-30"]) {
      const read = () => cursorDate({ column: "at", value, inclusive: true });
      expect(read).toThrow(`the cursor of column at is not valid: ${value} is not a date or time`);
    }
  });
});

test("checkExposedName() and checkVendorName() return the name or reject it", () => {
  expect(checkExposedName("the alias", "crm_2")).toBe("crm_2");
  expect(checkVendorName("the bucket", "in.c-crm")).toBe("in.c-crm");
  expect(() => checkExposedName("the alias", "in.c-crm")).toThrow("the alias");
  expect(() => checkVendorName("the bucket", "../x")).toThrow("the bucket");
});
