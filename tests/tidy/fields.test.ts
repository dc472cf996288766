import { describe, expect, test } from "bun:test";

import { tableFieldNames } from "../../lib/tables/mod.ts";
import { fieldReaders, readersIn, unreadFields } from "../../tools/fields.ts";

describe("registry fields", () => {
  test("fieldReaders() finds code that reads each field of the registry", () => {
    const readers = fieldReaders();
    expect(unreadFields(tableFieldNames, readers)).toEqual([]);
    expect(readers.get("syncSchedule")).toContain("lib/sync/sync.ts");
  });

  test("unreadFields() names a field that only the schema, import and export know", () => {
    const errors = [
      "lib/sync/sync.ts(4,5): error TS2339: Property 'a' does not exist on type 'TableRecord'.",
      "lib/tables/record/rules.ts(4,5): error TS2339: Property 'b' does not exist on type 'TableSettings'.",
      "lib/tables/import.ts(4,5): error TS2339: Property 'b' does not exist on type 'RegisteredTable'.",
      "lib/sync/sync.ts(4,5): error TS2339: Property 'c' does not exist on type 'TableStats'.",
    ].join("\n");
    expect(unreadFields(["a", "b", "c"], readersIn(errors))).toEqual(["no code reads b", "no code reads c"]);
  });
});
