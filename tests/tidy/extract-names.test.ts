import { describe, expect, test } from "bun:test";

import { extractNameViolations } from "../../tools/extract-names.ts";
import { sourceFiles } from "../../tools/source.ts";

describe("extract names", () => {
  test("extractNameViolations() finds none in the repository", () => {
    const files = sourceFiles([".ts"], ["lib/", "plugins/", "cmd/"]);
    expect(files.length).toBeGreaterThan(20);
    expect(extractNameViolations(files)).toEqual([]);
  });

  test("extractNameViolations() catches a name and SQL that has one", () => {
    for (const text of [
      `tables.get("_meta")`,
      `sql("SELECT path FROM _parts")`,
      "sql(`SELECT * FROM generation._cursor ORDER BY ${column}`)",
      `sql("CREATE TABLE _generation (number BIGINT)")`,
    ]) {
      expect(extractNameViolations([{ path: "lib/query/a.ts", text }])).toHaveLength(1);
      expect(extractNameViolations([{ path: "lib/extract/format/a.ts", text }])).toEqual([]);
    }
  });

  test("extractNameViolations() lets messages name a table", () => {
    const text = `refuse("its _meta is a view and not a table")`;
    expect(extractNameViolations([{ path: "lib/query/a.ts", text }])).toEqual([]);
  });
});
