import { describe, expect, test } from "bun:test";

import {
  AgnesError,
  causesOf,
  createLog,
  inspected,
  messageOf,
  readableError,
  redactError,
  redactThrown,
  redactValue,
  formatValue,
} from "../../lib/base/mod.ts";
import { STRANGE } from "./thrown.ts";

const SECRET = "S3cr3t-Value-42";

/** All texts of an error and its causes. */
function everythingOf(thrown: unknown): string {
  let text = "";
  for (let error = thrown; error instanceof Error; error = error.cause) {
    text += `${error.name} ${error.message} ${error.stack}\n`;
    if (text.length > 1_000_000) throw new Error("the causes do not end");
  }
  return text;
}

describe.each(Object.entries(STRANGE))("%s", (_name, make) => {
  test("is readable, and its causes end", () => {
    expect(messageOf(make(""))).toBeString();
    expect(inspected(make(""))).toBeString();
    expect(formatValue(make(""))).toBeString();
    expect(causesOf(make("")).length).toBeLessThanOrEqual(10);
    expect(everythingOf(readableError(make("")))).toBeString();
  });

  test("is redacted, also as the cause of an AgnesError and as a value of its details", () => {
    const plain = redactThrown(make(SECRET), [SECRET]);
    const cause = make(SECRET);
    const wrapped = redactError(new AgnesError("aborted", { what: "x" }, { cause }), [SECRET]);
    const within = redactValue({ error: readableError(make(SECRET)) }, [SECRET]);
    for (const one of [plain, wrapped, within.error]) {
      expect(everythingOf(one)).not.toContain(SECRET);
      expect(inspected(one)).not.toContain(SECRET);
    }
    const lines: string[] = [];
    createLog(({ fields }) => lines.push(JSON.stringify(fields)), [SECRET]).warn("x", {
      error: make(SECRET),
    });
    expect(lines.join()).not.toContain(SECRET);
  });
});

test("readableError() returns a readable error unchanged, and keeps the readable texts of others", () => {
  const plain = Object.assign(new Error("x", { cause: new Error("y", { cause: "z" }) }), { code: "E" });
  expect(readableError(plain)).toBe(plain);
  const known: AgnesError = new AgnesError("aborted", { what: "x" });
  (known as { cause?: unknown }).cause = known;
  const copy = readableError(known);
  expect(copy).toBeInstanceOf(AgnesError);
  expect(copy).toMatchObject({ code: "aborted", details: { what: "x" }, message: known.message });
  expect(causesOf(copy)).toEqual([copy]);
});

test("redactValue() ends for values that are circular, deep, or shared many times", () => {
  const circular: Record<string, unknown> = { secret: SECRET };
  circular["self"] = circular;
  expect(redactValue(circular, [SECRET])).toEqual({ secret: "[redacted]", self: "[circular]" });
  let deep: unknown = SECRET;
  for (let i = 0; i < 100_000; i += 1) deep = [deep];
  expect(JSON.stringify(redactValue(deep, [SECRET]))).toContain("[too deep]");
  let shared: unknown = { secret: SECRET };
  for (let i = 0; i < 40; i += 1) shared = [shared, shared];
  let first = redactValue(shared, [SECRET]);
  while (Array.isArray(first)) [first] = first as unknown[];
  expect(first).toEqual({ secret: "[redacted]" });
});
