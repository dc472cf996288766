import { expect, spyOn, test } from "bun:test";

import { openTerminal } from "../../cmd/terminal/terminal.ts";
import { AgnesError } from "../../lib/base/mod.ts";

/** What is written to stderr. */
function reported(error: unknown, json: boolean): string {
  let text = "";
  const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    openTerminal({ json, verbose: false, quiet: false, color: false }).error(error);
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
