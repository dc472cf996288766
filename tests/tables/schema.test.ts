import { expect, test } from "bun:test";
import { toJsonSchema } from "@valibot/to-json-schema";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";

import { sourceFiles } from "../../tools/source.ts";
import { tableChange, tableDefaults, tableFieldNames } from "../../lib/tables/mod.ts";

test("tableChange describes every field, so that flags, documents and the HTTP API can be made from it", () => {
  for (const field of tableFieldNames) {
    const schema = tableChange.entries[field].wrapped as v.GenericSchema;
    expect([field, v.getDescription(schema) ?? ""]).toEqual([
      field,
      expect.stringMatching(/^\S.{9,}$/) as unknown as string,
    ]);
  }
  const { properties, additionalProperties } = toJsonSchema(tableChange, {
    errorMode: "ignore",
    typeMode: "input",
  });
  expect(Object.keys(properties ?? {})).toEqual([...tableFieldNames]);
  expect(additionalProperties).toBe(false);
});

test("tableDefaults has a value that the schema takes, or null, for every field but the identity", () => {
  expect(Object.keys(tableDefaults)).toEqual(
    tableFieldNames.filter((field) => field !== "source" && field !== "name"),
  );
  expect(v.safeParse(tableChange, tableDefaults).success).toBe(true);
});

test("only record/choices.ts lists the values of modes, strategies, granularities and schema policies", () => {
  const copy = /"(local|full_refresh|day|evolve)"(,| \|)\s*"(remote|incremental|month|freeze)"/;
  const copies = sourceFiles([".ts"], ["lib/", "cmd/", "plugins/", "tools/"]).filter(({ text }) =>
    copy.test(text),
  );
  expect(copies.map(({ path }) => path)).toEqual(["lib/tables/record/choices.ts"]);
});

test("docs/guide/tables.md explains every placeholder of a filter", async () => {
  const unknown = v.safeParse(tableChange, { where_filters: [{ column: "day", values: ["{{unknown}}"] }] });
  const placeholders = unknown.issues![0].message.match(/(?<=known are .*)\{\{\w+\}\}/g)!;
  expect(placeholders.length).toBeGreaterThan(5);
  const guide = await readFile(join(import.meta.dir, "..", "..", "docs", "guide", "tables.md"), "utf8");
  for (const placeholder of placeholders) expect(guide).toContain(placeholder);
});
