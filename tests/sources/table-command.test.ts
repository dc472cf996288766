import { expect, test } from "bun:test";

import * as v from "valibot";

import { AgnesError, defineErrors, errorSpec, redactError } from "../../lib/base/mod.ts";
import { JobList, withStoppedJobs } from "../../lib/sources/read/job-list.ts";
import { withTableCommand } from "../../lib/sources/table-command.ts";

const plugin = {
  options: v.strictObject({ tables: v.optional(v.array(v.strictObject({ path: v.string() }))) }),
};
const registered = { id: "s.t", quarantine: false, invalidValues: "fail", queryMode: "local" } as const;
const unregistered = { source: "s", table: "it's" };
const value = { table: "t", row: 1, column: "c", value: "x", reason: "it is no number" };
const row = { file: "f", line: 1, reason: "it is no object", text: "1" };

test("withTableCommand() completes the hints that advise a change of the table", () => {
  const hints = (error: AgnesError) =>
    [
      registered,
      { ...registered, quarantine: true },
      unregistered,
      { ...registered, invalidValues: "set_null" as const },
    ].map((table) => withTableCommand(error, table, plugin).hint);
  const declared = "Correct the type that the plugin declares";
  expect(hints(new AgnesError("value_invalid", value))).toEqual([
    `${declared}, or let the table quarantine such rows with \`agnes table update s.t --quarantine true\`.`,
    `${declared}.`,
    `${declared}, or let the table quarantine such rows with \`agnes table register s 'it'\\''s' --quarantine true\`.`,
    `${declared}.`,
  ]);
  expect(hints(new AgnesError("file_row_invalid", { ...row, format: "json" }))[0]).toBe(
    "Correct the file, or let the table quarantine rows with `agnes table update s.t --quarantine true`.",
  );
  const unreadable = new AgnesError("file_unreadable", { path: "f", reason: "x", otherColumns: "a,b" });
  expect(hints(unreadable)[1]).toBe(
    "Write the file again without that value, or leave the column out: `agnes table update s.t --columns a,b`.",
  );
});

test("withTableCommand() completes the hints of a plugin that use the command", () => {
  const { cursor_wrong } = defineErrors("p", {
    cursor_wrong: errorSpec<{ table: string; tableCommand?: { readonly update: string } }>({
      message: (d) => `the cursor of ${d.table} is wrong`,
      hint: (d) => `Run \`${d.tableCommand?.update ?? "agnes table update ID"} --clear incremental-column\`.`,
    }),
  });
  const cause = new Error("cause");
  const completed = withTableCommand(cursor_wrong({ table: "t" }, { cause }), registered, plugin);
  expect(completed).toMatchObject({
    code: "p/cursor_wrong",
    message: "the cursor of t is wrong",
    hint: "Run `agnes table update s.t --clear incremental-column`.",
    details: { table: "t" },
    cause,
  });
});

test("withTableCommand() advises to set types only if the source has such an option", () => {
  const error = new AgnesError("file_value_invalid", {
    file: "f",
    line: 1,
    column: "c",
    value: "x",
    type: "BIGINT",
  });
  const types = v.optional(v.record(v.string(), v.string()));
  const tables = v.optional(v.record(v.string(), v.nullable(v.strictObject({ types }))));
  const quarantined = { ...registered, quarantine: true };
  const hint = (options: unknown) => withTableCommand(error, quarantined, { options }).hint;
  expect(hint(v.strictObject({ tables }))).toBe(
    "Correct the file, set another type for the column under `types`.",
  );
  expect(hint(plugin.options)).toBe("Correct the file or the type of the column in its source.");
  expect(error.hint).toBe("Correct the file or the type of the column in its source.");
});

test("withTableCommand() keeps the stack of an error, and texts that were redacted", () => {
  function rejectValue() {
    return new AgnesError("value_invalid", { ...value, value: "hunter2hunter2" });
  }
  const redacted = redactError(rejectValue(), ["hunter2hunter2"]);
  const completed = withTableCommand(redacted, registered, plugin);
  expect(completed).not.toBe(redacted);
  expect(completed.stack).toContain("rejectValue");
  expect(completed.stack).toBe(redacted.stack!);
  expect(completed.hint).toContain("`agnes table update s.t --quarantine true`");
  // The texts of an error may be redacted although its details are not.
  const texts = { message: "the message was redacted", hint: "x" };
  const replaced = new AgnesError("value_invalid", value).withDetails(value, { texts });
  expect(withTableCommand(replaced, registered, plugin).message).toBe(texts.message);
});

test("hints recommend the quarantine only for a table that is known", () => {
  expect(new AgnesError("value_invalid", value).hint).toBe("Correct the type that the plugin declares.");
});

test("withTableCommand() keeps the cause and retry class of an error, and every other error as it is", () => {
  const cause = new Error("cause");
  const completed = withTableCommand(
    new AgnesError("value_invalid", value, { cause, retry: "transient" }),
    registered,
    plugin,
  );
  expect(completed).toMatchObject({ code: "value_invalid", cause, retry: "transient", details: value });
  // The text of a plugin is not edited, whatever it contains.
  const hint = "Run `agnes table update ID --columns a`, or let the table quarantine rows.";
  const { failed } = defineErrors("p", {
    failed: errorSpec<{ at: number }>({ message: () => "x", hint: () => hint }),
  });
  const details = { plugin: "p", source: "s", operation: "read", reason: "x", advice: hint };
  for (const error of [
    failed({ at: 1 }),
    new AgnesError("plugin_failed", details),
    new AgnesError("file_row_invalid", row),
    new AgnesError("aborted", { what: "x" }).withDetails(
      { what: "x" },
      { texts: { message: "m", hint: "h" } },
    ),
    new AgnesError("aborted", { what: "x" }),
  ])
    expect(withTableCommand(error, registered, plugin)).toBe(error);
});

test("withTableCommand() advises no quarantine of rows of a remote table", () => {
  const error = new AgnesError("value_invalid", value);
  expect(withTableCommand(error, { ...registered, queryMode: "remote" }, plugin).hint).toBe(error.hint);
});

test("withTableCommand() keeps the jobs that a hint names", () => {
  const { cursor_wrong } = defineErrors("p", {
    cursor_wrong: errorSpec<{ table: string; tableCommand?: { readonly update: string } }>({
      message: () => "x",
      hint: (d) => `Run \`${d.tableCommand?.update ?? "agnes table update ID"}\`.`,
    }),
  });
  const jobs = new JobList();
  jobs.onJob({ id: "a", status: "done" });
  jobs.onJob({ id: "b", status: "running" });
  const billed = "Jobs that were stopped may still be billed: b.";
  for (const [error, hint] of [
    [cursor_wrong({ table: "t" }), "Run `agnes table update s.t`."],
    [
      new AgnesError("value_invalid", value),
      "Correct the type that the plugin declares, or let the table quarantine such rows with `agnes table update s.t --quarantine true`.",
    ],
  ] as const) {
    const stopped = withStoppedJobs(error, jobs) as AgnesError;
    expect(withTableCommand(stopped, registered, plugin)).toMatchObject({
      hint: `${hint} ${billed}`,
      details: { stoppedJobs: ["b"] },
    });
  }
});
