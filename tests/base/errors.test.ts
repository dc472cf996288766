import { describe, expect, test } from "bun:test";

import { AgnesError, errorCodes, isAgnesError, formatValue } from "../../lib/base/mod.ts";

describe("AgnesError", () => {
  test("AgnesError carries code, message, hint, retry, statuses and cause", () => {
    const cause = new Error("boom");
    const error = new AgnesError("timed_out", { what: "the query", timeoutMs: 30 }, { cause });
    expect(error).toMatchObject({ code: "timed_out", retry: "transient", status: 504, exitCode: 1, cause });
    expect(error.message).toBe("the query did not finish within 30 ms");
    expect(error.hint).not.toBe("");
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      error: {
        code: "timed_out",
        message: error.message,
        hint: error.hint,
        details: { what: "the query", timeoutMs: 30 },
      },
    });
    expect(isAgnesError(error, "timed_out")).toBe(true);
    expect(isAgnesError(error, "aborted")).toBe(false);
    expect(isAgnesError(cause)).toBe(false);
  });

  test("errorCodes are lower snake case with a valid HTTP and exit status", () => {
    for (const [code, spec] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      expect(spec.status).toBeGreaterThanOrEqual(400);
      expect(spec.status).toBeLessThan(600);
      expect([1, 2]).toContain(spec.exit);
    }
  });

  test("formatValue() quotes, escapes invisible characters, and limits the length", () => {
    expect(formatValue("a\u202eb\u0000")).toBe('"a\\u202eb\\u0000"');
    expect(formatValue("x".repeat(10_000))).toMatch(/^"x{79}… \(10002 characters\)$/);
    expect(formatValue(3)).toBe("3");
  });
});
