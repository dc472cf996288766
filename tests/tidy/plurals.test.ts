import { expect, test } from "bun:test";

import { pluralViolations } from "../../tools/plurals.ts";
import { sourceFiles } from "../../tools/source.ts";

test("pluralViolations() finds no text like `1 tables`", () => {
  const files = sourceFiles([".ts"], ["lib/", "cmd/", "plugins/"]);
  expect(files.length).toBeGreaterThan(300);
  // This one is only reached when there is not one statement.
  const known = ["lib/query/parse-select.ts: ${parsed.count} statements"];
  expect(pluralViolations(files).filter((found) => !known.includes(found))).toEqual([]);
});

test("pluralViolations() catches a count before a plural, and lets constants and tests for 1 pass", () => {
  const of = (text: string) => pluralViolations([{ path: "a.ts", text }]);
  expect(of("f(`${n} tables`)")).toEqual(["a.ts: ${n} tables"]);
  expect(of("f(`has ${rows.length} more columns;`)")).toEqual(["a.ts: ${rows.length} more columns;"]);
  expect(of("f(`at most ${ROWS_MAX} rows`)")).toEqual([]);
  expect(of('f(n === 1 ? "a row" : `${n} rows`)')).toEqual([]);
  expect(of("f(`${n} rows/s, ${name} files`)")).toEqual([]);
});
