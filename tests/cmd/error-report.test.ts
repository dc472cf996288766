import { expect, spyOn, test } from "bun:test";

import { openTerminal } from "../../cmd/terminal/terminal.ts";
import { isOutputClosed } from "../../cmd/terminal/stdout.ts";
import { AgnesError } from "../../lib/base/mod.ts";
import { STRANGE } from "../base/thrown.ts";

/** What is written to stderr. */
function reported(error: unknown, json: boolean, verbose = false): string {
  let text = "";
  const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    openTerminal({ json, verbose, quiet: false, color: false }).error(error);
  } finally {
    spy.mockRestore();
  }
  return text;
}

test("error() redacts JSON as it redacts text, in messages, hints and details", () => {
  const reason =
    "GET https://ann:s3cret@example.com/x?token=s3cret failed: Bearer s3cret-s3cret \u001b[31m\u202e";
  for (const error of [
    new AgnesError("sql_failed", { kind: "HTTP Error", reason }),
    new AgnesError("sql_not_allowed", { reason, advice: reason }),
    new AgnesError("table_import_refused", {
      path: "x",
      failures: [{ table: "t", code: "c", message: reason }],
    }),
    new Error(reason),
  ]) {
    const [text, json] = [reported(error, false), reported(error, true)];
    expect(text + json).not.toContain("s3cret");
    const { message, hint } = (JSON.parse(json) as { error: { message: string; hint: string } }).error;
    expect(text).toContain(message);
    expect(text).toContain(hint);
    expect(message).not.toMatch(/\p{Cc}|\u202e/u);
  }
});

test.each(Object.entries(STRANGE))("error() reports %s, and its causes end", (_name, make) => {
  for (const error of [make(""), new AgnesError("aborted", { what: "x" }, { cause: make("") })]) {
    for (const json of [false, true]) expect(reported(error, json, true)).toMatch(/aborted|internal/);
    expect(isOutputClosed(error)).toBe(false);
  }
});

test("isOutputClosed() holds for our own output alone, not for a pipe that a connector lost", () => {
  const lost = Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
  const details = { plugin: "p", source: "s", operation: "read", reason: "write EPIPE" };
  expect(isOutputClosed(lost)).toBe(true);
  expect(
    isOutputClosed(
      new AgnesError("file_failed", { operation: "write", path: "x", reason: "EPIPE" }, { cause: lost }),
    ),
  ).toBe(true);
  expect(isOutputClosed(new AgnesError("plugin_failed", details, { cause: lost }))).toBe(false);
});
