import { describe, expect, test } from "bun:test";

import { isAgnesError } from "../../../lib/base/mod.ts";
import { FailureLimit } from "../../../lib/serve/auth/failure-limit.ts";

function limit() {
  let nowMs = 0;
  const failures = new FailureLimit({ monotonicMs: () => nowMs });
  const isLimited = (address: string | null): boolean => {
    try {
      failures.count(address);
      return false;
    } catch (error) {
      if (isAgnesError(error, "sign_in_limited")) return true;
      throw error;
    }
  };
  return { failures, isLimited, pass: (ms: number) => (nowMs += ms) };
}

describe("FailureLimit", () => {
  test("count() throws after ten failures of an address in a minute, with the time until it may try again", () => {
    const { failures, isLimited, pass } = limit();
    for (let count = 0; count < 10; count += 1) expect(isLimited("192.0.2.1")).toBe(false);
    pass(20_000);
    expect(() => failures.count("192.0.2.1")).toThrow(
      expect.objectContaining({ details: { retryAfterMs: 40_000 } }),
    );
    expect(isLimited("192.0.2.2")).toBe(false);
    pass(40_000);
    expect(isLimited("192.0.2.1")).toBe(false);
  });

  test("addresses of one IPv6 network, forms of one address and unknown addresses count together", () => {
    for (const [one, same, other] of [
      ["2001:db8:1:2::1", "2001:0DB8:1:2:ffff::9", "2001:db8:1:3::1"],
      ["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.3"],
      ["fe80::1%eth0", "fe80:0:0:0:1:2:3:4", "fe80:0:0:1::1"],
      [null, null, "192.0.2.1"],
    ] as const) {
      const { isLimited } = limit();
      for (let count = 0; count < 10; count += 1) isLimited(one);
      expect([one, isLimited(same), isLimited(other)]).toEqual([one, true, false]);
    }
  });

  test("failures of very many addresses do not add up in memory", () => {
    const { isLimited } = limit();
    for (let count = 0; count < 10; count += 1) isLimited("192.0.2.1");
    const before = process.memoryUsage().heapUsed;
    for (let count = 0; count < 200_000; count += 1)
      isLimited(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`);
    Bun.gc(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
    // The oldest address was dropped.
    expect(isLimited("192.0.2.1")).toBe(false);
  });

  test("the address that is dropped is the one whose minute began first", () => {
    const { isLimited, pass } = limit();
    isLimited("192.0.2.1");
    pass(60_000);
    isLimited("192.0.2.2");
    for (let count = 0; count < 10; count += 1) isLimited("192.0.2.1");
    // With two others, the map is full; one more drops 192.0.2.2, although 192.0.2.1 came before it.
    for (let count = 0; count < 9_999; count += 1) isLimited(`10.0.${count >> 8}.${count & 255}`);
    expect([isLimited("192.0.2.1"), isLimited("10.1.0.0")]).toEqual([true, false]);
  });
});
