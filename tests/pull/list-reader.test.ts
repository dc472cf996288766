import { expect, test } from "bun:test";

import { ListReader } from "../../lib/pull/list-reader.ts";

const table = (name: string, description = "") =>
  `"far.${name}":${JSON.stringify({
    source: "far",
    name,
    view_name: name,
    description,
    query_mode: "remote",
    unavailable: { code: "remote", message: "" },
  })}`;
const LINES = `{"version":1,"tables":{\n${table("a")},\n${table("b", "größer,\n}} 🦆")}\n}}`;
const EMPTY = '{"version":1,"tables":{\n\n}}';

/** What a list is read as, if its bytes arrive in pieces of this length. */
function read(text: string, length = 1_000_000): readonly string[] {
  const bytes = new TextEncoder().encode(text);
  const reader = new ListReader("https://agnes.example.com");
  for (let at = 0; at < bytes.length; at += length) {
    const piece = bytes.slice(at, at + length);
    reader.take(piece);
    // The caller may use its buffer again.
    piece.fill(0);
  }
  const { tables, invalid } = reader.end();
  return [...tables.map(({ id, description }) => `${id} ${description}`.trim()), ...invalid.keys()];
}

function codeOf(text: string, length?: number): unknown {
  try {
    return read(text, length);
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}

test("ListReader reads a list by lines, and of any other form, in pieces of any length", () => {
  const parsed = JSON.parse(LINES) as unknown;
  const forms = [LINES, `${LINES}\n`, JSON.stringify(parsed), JSON.stringify(parsed, null, 2)];
  for (const text of forms)
    for (const length of [1, 2, 3, 7, 64, 1_000_000])
      expect(read(text, length)).toEqual(["far.a", "far.b größer,\n}} 🦆"]);
  for (const length of [1, 1_000]) expect(read(EMPTY, length)).toEqual([]);
});

test("ListReader rejects a list that is cut anywhere, or goes on", () => {
  for (let length = 0; length < LINES.length; length++)
    expect([length, codeOf(LINES.slice(0, length))]).toEqual([length, "server_response_invalid"]);
  for (const more of ["}", "\n}}", "\nx", `\n${table("c")}`])
    expect(codeOf(LINES + more)).toBe("server_response_invalid");
});

test("ListReader checks the version before it reads tables, and reports a table that is listed twice", () => {
  expect(codeOf('{"version":2,"tables":{\n')).toBe("manifest_invalid");
  expect(codeOf('{"version":2,"tables":{}}')).toBe("manifest_invalid");
  const twice = LINES.replace(table("a"), `${table("a")},\n${table("A")}`);
  expect(read(twice)).toEqual(["far.a", "far.b größer,\n}} 🦆", "far.A"]);
});

test("ListReader rejects a list that would fill the memory", () => {
  const line = `${" ".repeat(1024 * 1024 - 1)}\n`;
  for (const [head, text, maxMib] of [
    ["", " ".repeat(1024 * 1024), 128],
    ["{\n", line, 128],
    ['{"version":1,"tables":{\n', " ".repeat(1024 * 1024), 128],
    ['{"version":1,"tables":{\n', line, 512],
  ] as const) {
    const piece = new TextEncoder().encode(text);
    const reader = new ListReader("https://agnes.example.com");
    reader.take(new TextEncoder().encode(head));
    let taken = 0;
    const fill = () => {
      for (; taken < 600; taken++) reader.take(piece);
    };
    expect(fill).toThrow(`more than ${maxMib * 1024 * 1024} bytes`);
    expect(taken).toBeLessThanOrEqual(maxMib);
  }
});
