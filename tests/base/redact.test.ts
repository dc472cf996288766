import { expect, test } from "bun:test";

import { holdsSecret, redact, redactValue } from "../../lib/base/mod.ts";

test("redact() removes all of a secret that begins with another, or is encoded in JSON or a URL", () => {
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
    const text = `the source returned ${encode(secret)}; and that was all, user:aGVsbG8gd29ybGQ=`;
    expect(redact(text, [secret])).toBe(
      "the source returned [redacted]; and that was all, user:aGVsbG8gd29ybGQ=",
    );
    expect(holdsSecret(text, [secret])).toBe(true);
    expect(holdsSecret("and that was all, user:aGVsbG8gd29ybGQ=", [secret])).toBe(false);
  }
});

const percent = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");

test.each([
  ["hexadecimal digits", (secret: string) => Buffer.from(secret).toString("hex")],
  ["capital hexadecimal digits", (secret: string) => Buffer.from(secret).toString("hex").toUpperCase()],
  ["an address with every byte encoded", percent],
  ["an address with capital digits", (secret: string) => percent(secret).toUpperCase()],
  ["an address encoded twice", (secret: string) => encodeURIComponent(percent(secret))],
  ["an address with half of it encoded", (secret: string) => percent(secret.slice(0, 4)) + secret.slice(4)],
  ["a form", (secret: string) => new URLSearchParams({ s: secret }).toString().slice(2)],
  [
    "JSON in ASCII",
    (secret: string) =>
      JSON.stringify(secret)
        .slice(1, -1)
        .replaceAll(/[^ -~]/g, escaped),
  ],
  ["JSON with every character escaped", (secret: string) => secret.replaceAll(/[^]/g, escaped)],
  ["JSON in JSON", (secret: string) => JSON.stringify(JSON.stringify(secret)).slice(1, -1)],
  ["base64 in an address", (secret: string) => encodeURIComponent(base64(`us:${secret}`))],
  [
    "base64 in an address with small digits",
    (secret: string) => smallDigits(encodeURIComponent(base64(secret))),
  ],
  ["base64 in an address encoded twice", (secret: string) => percentTwice(base64(`u:${secret}`))],
  ["base64 of several lines", (secret: string) => base64(secret).replace(/.{5}(?=[^=])/g, "$&\r\n")],
  ["base64 of several lines in JSON", (secret: string) => base64(secret).replace(/.{5}(?=[^=])/g, "$&\\n")],
  ["a libpq connection string", (secret: string) => secret.replace(/[\\']/g, "\\$&")],
  ["SQL", (secret: string) => secret.replaceAll("'", "''")],
  ["an address encoded three times", (secret: string) => encodeURIComponent(percentTwice(secret))],
  ["an address in Latin-1", (secret: string) => encodeURIComponent(secret).replaceAll("%C3%A9", "%E9")],
  ["hexadecimal digits with colons", (secret: string) => hexPairs(secret).join(":")],
  ["hexadecimal digits with spaces", (secret: string) => hexPairs(secret).join(" ")],
  ["hexadecimal digits with escapes", (secret: string) => hexPairs(secret).join("\\x")],
] as const)(
  "redact() removes all of a secret in %s, and a remote() that contains it is rejected",
  (_form, encode) => {
    for (const secret of [
      "hunter2-and-more",
      "ab12cd34",
      "\u00fb\u00ff\u00fe~~~???",
      "pass word/+&=%41",
      'tab\tq"uo\\te-key',
      "it's-my-Secret99",
      "😀🔑-é-key",
    ]) {
      const text = `postgres://host/db?x=${encode(secret)}&y=1`;
      const clean = redact(text, [secret]);
      expect(holdsSecret(text, [secret])).toBe(true);
      expect(clean).toMatch(/^postgres:\/\/host\/db\?x=[^&]*\[redacted\]["\\]*&y=1$/);
      expect(clean.length).toBeLessThan(50);
      expect(holdsSecret(clean, [secret])).toBe(false);
    }
    expect(holdsSecret("postgres://host/db?x=68756e74&y=1", ["hunter2-and-more"])).toBe(false);
  },
);

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
const hexPairs = (text: string): readonly string[] => Buffer.from(text).toString("hex").match(/../g)!;
const smallDigits = (text: string): string => text.replaceAll(/%../g, (one) => one.toLowerCase());
const percentTwice = (text: string): string => encodeURIComponent(encodeURIComponent(text));

test.each([
  ["names", (secret: string) => Bun.escapeHTML(secret)],
  ["numbers", (secret: string) => Array.from(secret, (one) => `&#${one.codePointAt(0)};`).join("")],
  [
    "hexadecimal numbers",
    (secret: string) => secret.replace(/[&<>"']/g, (one) => `&#x${one.charCodeAt(0).toString(16)};`),
  ],
  ["names encoded twice", (secret: string) => Bun.escapeHTML(Bun.escapeHTML(secret))],
] as const)("redact() leaves nothing of a secret in HTML with %s", (_form, encode) => {
  for (const secret of ["it's-my-Secret99", 'a&b<c>"d"', "é-key-&-é"]) {
    const text = `<p>password ${encode(secret)}</p>`;
    expect(holdsSecret(text, [secret])).toBe(true);
    expect(redact(text, [secret])).toBe("<p>password [redacted]</p>");
  }
});

test("redactValue() redacts the prefix of a secret in truncated text, in every encoding", () => {
  const secret = "hunter2-and-more-of-it";
  for (const form of [secret, Buffer.from(secret).toString("hex"), base64(secret)]) {
    expect(redactValue(`got ${form.slice(0, 16)}…`, [secret])).toBe("got [redacted]…");
  }
});

test("redact() redacts single lines of a secret with several, but not its short ones", () => {
  const secret = "-----BEGIN KEY-----\r\nMIIEvQIBADANBgkq\r\n}\nend\n";
  const lines = ["key -----BEGIN KEY-----", "MIIEvQIBADANBgkq.", "}", "the end", base64("MIIEvQIBADANBgkq")];
  expect(lines.map((line) => redact(line, [secret]))).toEqual([
    "key [redacted]",
    "[redacted].",
    "}",
    "the end",
    "[redacted]",
  ]);
  expect(redact("MIIEvQIBAD…", [secret])).toBe("[redacted]…");
  // Rows and names may have such lines.
  expect(holdsSecret("MIIEvQIBADANBgkq", [secret])).toBe(false);
});

test("redact() detects a secret that is too long for a pattern", () => {
  const secret = `-----BEGIN KEY-----\n${"abc/+=def\n".repeat(20_000)}`;
  const forms = [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), base64(secret)];
  expect(redact(forms.join(" "), [secret])).toBe("[redacted] [redacted] [redacted] [redacted]");
});
