import { expect, test } from "bun:test";

import { holdsSecret, redact } from "../../lib/base/mod.ts";

test("redact() leaves nothing of a secret that begins with another, or is written in JSON or an address", () => {
  const secrets = ["abcd", "abcdef", 'quo"te\\d', "a b&c=d"];
  const text = `1 abcdef 2 abcd 3 ${JSON.stringify({ t: secrets[2] })} 4 ${encodeURIComponent(secrets[3]!)} \ud800`;
  expect(redact(text, secrets)).toBe('1 [redacted] 2 [redacted] 3 {"t":"[redacted]"} 4 [redacted] \ud800');
  expect(redact("x", ["abcd\ud800"])).toBe("x");
});

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test.each([
  ["alone", (secret: string) => base64(secret)],
  ["after a user", (secret: string) => base64(`u:${secret}`)],
  ["after a longer user", (secret: string) => base64(`us:${secret}`)],
  ["before a colon", (secret: string) => base64(`${secret}:`)],
  ["between others", (secret: string) => base64(`some user:${secret}@host`)],
  ["without its padding", (secret: string) => base64(`a:${secret}`).replace(/=+$/, "")],
  ["in the alphabet of addresses", (secret: string) => Buffer.from(`ab${secret}`).toString("base64url")],
] as const)("redact() leaves nothing of a secret in base64, %s", (_where, encode) => {
  for (const secret of [
    "hunter2-and-more",
    "pa55w0rd",
    "žluťoučký>>>???kůň",
    "ab12cd34",
    "\u00fb\u00ff\u00fe~~~???",
  ]) {
    const text = `the source said ${encode(secret)}; and that was all, user:aGVsbG8gd29ybGQ=`;
    expect(redact(text, [secret])).toBe(
      "the source said [redacted]; and that was all, user:aGVsbG8gd29ybGQ=",
    );
    expect(holdsSecret(text, [secret])).toBe(true);
    expect(holdsSecret("and that was all, user:aGVsbG8gd29ybGQ=", [secret])).toBe(false);
  }
});
