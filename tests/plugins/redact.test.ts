import { expect, test } from "bun:test";

import { redact } from "../../lib/base/mod.ts";

test("redact() leaves nothing of a secret that begins with another, or is written in JSON or an address", () => {
  const secrets = ["abcd", "abcdef", 'quo"te\\d', "a b&c=d"];
  const text = `1 abcdef 2 abcd 3 ${JSON.stringify({ t: secrets[2] })} 4 ${encodeURIComponent(secrets[3]!)} \ud800`;
  expect(redact(text, secrets)).toBe('1 [redacted] 2 [redacted] 3 {"t":"[redacted]"} 4 [redacted] \ud800');
  expect(redact("x", ["abcd\ud800"])).toBe("x");
});
