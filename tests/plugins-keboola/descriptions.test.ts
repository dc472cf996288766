import { describe, expect, test } from "bun:test";

import { describedType, descriptionOf } from "../../plugins/keboola/tables/metadata-providers.ts";
import { dateOf } from "../../plugins/keboola/dates.ts";
import { bucketOf, isSelected, tableIdOf } from "../../plugins/keboola/tables/table-id.ts";
import { sortedEntries } from "../../plugins/keboola/export/slices.ts";

const entry = (provider: string, key: string, value: string, timestamp = "2026-01-01T00:00:00+0100") => ({
  provider,
  key: `KBC.${key}`,
  value,
  timestamp,
});

describe("describedType()", () => {
  const all = [
    entry("storage", "datatype.basetype", "STRING"),
    entry("keboola.snowflake-transformation", "datatype.basetype", "DATE"),
    entry("ai-metadata-enrichment", "datatype.basetype", "NUMERIC"),
    entry("user", "datatype.basetype", "INTEGER"),
    entry("keboola.ex-db-mysql", "datatype.basetype", "BOOLEAN"),
  ];

  test("takes the provider with the highest precedence", () => {
    const order = ["INTEGER", "NUMERIC", "DATE", "STRING", "BOOLEAN"];
    const left = [...all];
    for (const expected of order) {
      expect(describedType(left)).toEqual({ basetype: expected });
      left.splice(
        left.findIndex(({ value }) => value === expected),
        1,
      );
    }
    expect(describedType(left)).toBeNull();
  });

  test("takes type and length of one provider only", () => {
    const entries = [
      entry("user", "datatype.basetype", "NUMERIC"),
      entry("storage", "datatype.basetype", "NUMERIC"),
      entry("storage", "datatype.length", "38,9"),
    ];
    expect(describedType(entries)).toEqual({ basetype: "NUMERIC" });
  });

  test("takes the newest of other providers", () => {
    const entries = [
      entry("keboola.ex-a", "datatype.basetype", "DATE", "2025-01-01T00:00:00+0100"),
      entry("keboola.ex-b", "datatype.basetype", "FLOAT", "2026-01-01T00:00:00+0100"),
    ];
    expect(describedType(entries)).toEqual({ basetype: "FLOAT" });
    // The hour that the end of daylight saving time repeats.
    const repeated = [
      entry("keboola.ex-a", "datatype.basetype", "DATE", "2026-10-25T02:50:00+0200"),
      entry("keboola.ex-b", "datatype.basetype", "BOOLEAN", "2026-10-25T02:10:00+0100"),
    ];
    expect(describedType(repeated)).toEqual({ basetype: "BOOLEAN" });
  });

  test("ignores entries that are not about types, and empty ones", () => {
    const entries = [entry("user", "description", "x"), entry("user", "datatype.basetype", "")];
    expect(describedType([...entries, entry("storage", "datatype.type", "NUMBER")])).toEqual({
      type: "NUMBER",
    });
  });
});

test("descriptionOf() takes what a user wrote before what a component wrote", () => {
  const entries = [
    entry("keboola.ex-a", "description", "by a component"),
    entry("user", "description", "by Ada"),
  ];
  expect(descriptionOf(entries)).toBe("by Ada");
  expect(descriptionOf([entry("user", "description", " ")])).toBeUndefined();
  expect(descriptionOf(undefined)).toBeUndefined();
});

test("dateOf() parses offsets without a colon", () => {
  expect(dateOf("2017-02-13T12:56:57+0100")?.toISOString()).toBe("2017-02-13T11:56:57.000Z");
  expect(dateOf("2017-02-14T22:10:17+00:00")?.toISOString()).toBe("2017-02-14T22:10:17.000Z");
  for (const none of [null, undefined, "", "soon"]) expect(dateOf(none)).toBeNull();
});

test("tableIdOf() doubles no bucket", () => {
  expect(tableIdOf("orders", "in.c-crm")).toBe("in.c-crm.orders");
  expect(tableIdOf("in.c-crm.orders", "in.c-crm")).toBe("in.c-crm.orders");
  expect(tableIdOf("in.c-crm.orders", undefined)).toBe("in.c-crm.orders");
  expect(bucketOf("in.c-crm.orders")).toBe("in.c-crm");
});

test("isSelected() applies include, then exclude", () => {
  expect(isSelected("in.c-crm", undefined)).toBe(true);
  expect(isSelected("in.c-crm", { include: ["in.c-*"] })).toBe(true);
  expect(isSelected("out.c-crm", { include: ["in.c-*"] })).toBe(false);
  expect(isSelected("in.c-crm", { exclude: ["*-crm"] })).toBe(false);
  expect(isSelected("inXc-crm", { include: ["in.c-*"] })).toBe(false);
});

test("sortedEntries() sorts by the numbers in the path, not by host or signature", () => {
  const entries = ["10", "2", "1"].map((n, at) => `https://h${at}.test/exp/slice.csv${n}?sig=${9 - at}`);
  expect(sortedEntries(entries).map((url) => new URL(url).pathname)).toEqual([
    "/exp/slice.csv1",
    "/exp/slice.csv2",
    "/exp/slice.csv10",
  ]);
  const s3 = ["10", "2"].map((n) => `s3://bucket/a/${n}_part`);
  expect(sortedEntries(s3)).toEqual(["s3://bucket/a/2_part", "s3://bucket/a/10_part"]);
});
