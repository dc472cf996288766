import { expect, spyOn, test } from "bun:test";

import { openCaseStatus } from "../../cmd/connectors/case-status.ts";
import { openTerminal } from "../../cmd/terminal/terminal.ts";
import { screenOf } from "./screen.ts";

test("a message replaces the line of the running case, and the next update draws it below", () => {
  let text = "";
  const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    const terminal = openTerminal({ json: false, verbose: false, quiet: false, color: false });
    const status = openCaseStatus({ ...terminal, interactive: true });
    status.update({ case: "reads\u001b[2J", table: "t", rows: 1 });
    expect(screenOf(text, 80)).toEqual(["… reads\\u001b[2J: t, 1 rows"]);
    terminal.warn("late");
    status.update({ case: "reads again" });
    expect(screenOf(text, 80)).toEqual(["warning  late", "… reads again"]);
    status.clear();
    terminal.info("done");
    expect(screenOf(text, 80)).toEqual(["warning  late", "done"]);
  } finally {
    spy.mockRestore();
  }
});
