import { expect, test } from "bun:test";
import { toJsonSchema } from "@valibot/to-json-schema";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";

import { sourceFiles } from "../../tools/source.ts";
import { fromStoredFields, toStoredFields } from "../../lib/tables/record/mod.ts";
import { storedFieldNames, tableChange, tableDefaults, tableFieldNames } from "../../lib/tables/mod.ts";

test("tableChange describes every field, so that flags, documents and the HTTP API can be made from it", () => {
  for (const field of storedFieldNames) {
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
  expect(Object.keys(properties ?? {})).toEqual([...storedFieldNames]);
  expect(additionalProperties).toBe(false);
});

test("tableDefaults has a value that the schema takes, or null, for every field but the identity", () => {
  expect(Object.keys(tableDefaults)).toEqual(
    tableFieldNames.filter((field) => field !== "source" && field !== "name"),
  );
  expect(v.safeParse(tableChange, toStoredFields(tableDefaults)).success).toBe(true);
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

test("fields are camelCase in the library and snake_case when stored, and metadata of the source is not renamed", () => {
  const library = {
    viewName: "orders",
    documentation: { sampleQuestions: ["How many?"], gotchas: [{ key: "a_b", body: "c" }] },
    sourceMetadata: { row_count: 1, nested: { last_change: "x" } },
  };
  const stored = {
    view_name: "orders",
    documentation: { sample_questions: ["How many?"], gotchas: [{ key: "a_b", body: "c" }] },
    source_metadata: { row_count: 1, nested: { last_change: "x" } },
  };
  expect(toStoredFields(library)).toEqual(stored);
  expect(fromStoredFields(stored)).toEqual(library as never);
});
