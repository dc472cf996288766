import { describe, expect, test } from "bun:test";

import { decideRead } from "../../lib/extract/read/decide.ts";
import { definitionOf } from "../../lib/extract/job/definition.ts";
import type { TablePlan } from "../../lib/extract/mod.ts";
import type { PublishedTable } from "../../lib/extract/format/extract-state.ts";
import { int64, table, timestamp, utf8, type FileReading } from "../../lib/kit/mod.ts";
import { incremental, planOf } from "./harness.ts";

const info = table(
  "t",
  { id: int64(), v: utf8(), at: int64(), day: timestamp() },
  { primaryKey: ["id"], cursor: "at" },
);
const usual = { full: false, partsMissing: false };
const reading: FileReading = { format: "ndjson", columns: [] };

/** The published table of a plan, with one part. */
function published(plan: TablePlan, overrides: Partial<PublishedTable> = {}): PublishedTable {
  const part = { path: "data/t/1.parquet", rows: 1 } as PublishedTable["parts"][number];
  return {
    name: plan.name,
    description: "",
    rows: 1,
    sizeBytes: 1,
    extractedAt: new Date(0),
    mode: "local",
    columns: [],
    sourceColumns: [],
    parts: [part],
    schemas: [],
    definition: definitionOf(plan),
    tombstones: [],
    ...overrides,
  };
}

const changing = incremental(info);
const cursor = { column: "at", value: "7" };
const state = { page: 3 };

describe("decideRead()", () => {
  test("reads an unpublished table in full and adopts its layout", () => {
    const whole = { kind: "whole", accept: true, notes: [] } as const;
    expect(decideRead(changing, undefined, usual)).toEqual(whole);
    expect(decideRead(changing, published(changing, { parts: [], cursor }), usual)).toEqual(whole);
  });

  test("reads in full on request, adopts the layout, and passes neither cursor nor state", () => {
    const found = decideRead(changing, published(changing, { cursor, state }), { ...usual, full: true });
    expect(found).toEqual({ kind: "whole", accept: true, notes: [] });
    const both = decideRead(changing, published(changing, { cursor }), { full: true, partsMissing: true });
    expect(both).toEqual({ kind: "whole", accept: true, notes: [] });
  });

  test("reads in full and publishes when parts are missing, with the published layout", () => {
    const found = decideRead(changing, published(changing, { cursor, state }), {
      ...usual,
      partsMissing: true,
    });
    expect(found).toEqual({
      kind: "whole",
      accept: false,
      publishes: true,
      notes: ["parts were missing, so the table was read in full"],
    });
  });

  test("reads in full when the plan changed, and adopts the layout unless it is frozen", () => {
    for (const schemaPolicy of ["evolve", "freeze"] as const) {
      const plan = incremental(info, { schemaPolicy });
      const before = published(incremental(info, { primaryKey: ["v"] }), { cursor, state });
      expect(decideRead(plan, before, usual)).toEqual({
        kind: "whole",
        accept: schemaPolicy === "evolve",
        notes: ["its configuration or the merge rules of Agnes changed, so the table was read in full"],
      });
    }
  });

  test("reads in full when files are read differently, and adopts the layout if no reading was recorded or options changed", () => {
    for (const schemaPolicy of ["evolve", "freeze"] as const) {
      const plan = incremental({ ...info, reading }, { schemaPolicy });
      const notes = ["its files are now read differently, so the table was read in full"];
      const unknown = decideRead(plan, published(plan, { cursor }), usual);
      expect(unknown).toEqual({ kind: "whole", accept: schemaPolicy === "evolve", notes });
      const other = published(plan, { cursor, reading: { format: "json", columns: [] } });
      expect(decideRead(plan, other, usual)).toEqual({ kind: "whole", accept: false, notes });
      expect(decideRead(plan, published(plan, { cursor, reading }), usual).kind).toBe("delta");
      const { csv = {} as NonNullable<FileReading["csv"]> } = reading;
      const earlier = published(plan, { cursor, reading: { ...reading, csv } });
      const withNulls = (quotedNulls: boolean) => ({
        ...plan,
        info: { ...plan.info, reading: { ...reading, csv: { ...csv, quotedNulls } } },
      });
      expect(decideRead(withNulls(true), earlier, usual).kind).toBe("delta");
      const changed = { kind: "whole", accept: schemaPolicy === "evolve", notes };
      expect(decideRead(withNulls(false), earlier, usual)).toMatchObject(changed);
      const comma = { ...reading, csv: { ...reading.csv, decimalSeparator: "," } } as FileReading;
      const options = decideRead(plan, published(plan, { cursor, reading: comma }), usual);
      expect(options).toEqual({ kind: "whole", accept: schemaPolicy === "evolve", notes });
    }
  });

  test("reads a full refresh in full, with the connector's state", () => {
    const plan = planOf(info);
    const whole = { kind: "whole", accept: false, notes: [] } as const;
    expect(decideRead(plan, published(plan), usual)).toEqual(whole);
    expect(decideRead(plan, published(plan, { cursor, state }), usual)).toEqual({ ...whole, state });
  });

  test("reads a delta from the cursor, from the state, or from both", () => {
    const delta = { kind: "delta", accept: false, notes: [] } as const;
    expect(decideRead(changing, published(changing, { cursor }), usual)).toEqual({ ...delta, cursor });
    expect(decideRead(changing, published(changing, { state }), usual)).toEqual({ ...delta, state });
    const both = published(changing, { cursor, state });
    expect(decideRead(changing, both, usual)).toEqual({ ...delta, cursor, state });
    const parted = incremental(info, { strategy: "partitioned", partitionBy: "day" });
    expect(decideRead(parted, published(parted, { cursor }), usual)).toEqual({ ...delta, cursor });
  });

  test("reads in full without a cursor and a state, or with a cursor of another column", () => {
    const whole = { kind: "whole", accept: false, notes: [] } as const;
    expect(decideRead(changing, published(changing), usual)).toEqual(whole);
    const other = published(changing, { cursor: { column: "id", value: "7" } });
    expect(decideRead(changing, other, usual)).toEqual(whole);
    expect(decideRead(changing, { ...other, state }, usual)).toEqual({ ...whole, kind: "delta", state });
    const { cursor: _none, ...plain } = changing;
    expect(decideRead(plain, published(plain, { cursor }), usual)).toEqual(whole);
  });

  test("notes that rows without a key are appended", () => {
    const plan = incremental(info, { primaryKey: [] });
    expect(decideRead(plan, published(plan, { cursor }), usual).notes).toEqual([
      "it has no primary key, so new rows are appended",
    ]);
    expect(decideRead(plan, published(plan), usual).notes).toEqual([]);
  });
});

describe("definitionOf()", () => {
  const parted = incremental(info, { strategy: "partitioned", partitionBy: "day" });
  const other: readonly (readonly [string, TablePlan, TablePlan])[] = [
    ["the source's table", changing, incremental({ ...info, name: "u" }, { name: "t" })],
    ["the mode", planOf(info), planOf(info, { mode: "materialized" })],
    ["the query", planOf(info, { query: "SELECT 1" }), planOf(info, { query: "SELECT 2" })],
    ["the strategy", parted, { ...parted, strategy: "incremental" }],
    ["a strategy that merges", planOf(info), planOf(info, { strategy: "incremental" })],
    ["the key", changing, incremental(info, { primaryKey: ["v"] })],
    ["the cursor", changing, incremental(info, { cursor: "id" })],
    ["the columns", changing, incremental(info, { columns: ["id", "at"] })],
    [
      "a condition",
      changing,
      incremental(info, { filter: [{ column: "id", operator: "eq", values: [1n] }] }),
    ],
    ["the column of the partition", parted, { ...parted, partitionBy: "at" }],
    ["the granularity of the partitions", parted, { ...parted, partitionGranularity: "year" }],
    ["the identity of the table", changing, incremental({ ...info, identity: "b.duckdb" })],
    [
      "another identity",
      incremental({ ...info, identity: "a.duckdb" }),
      incremental({ ...info, identity: "b.duckdb" }),
    ],
    ["the history", changing, incremental(info, { historyDays: 30 })],
    [
      "the days of the history",
      incremental(info, { historyDays: 30 }),
      incremental(info, { historyDays: 31 }),
    ],
  ];
  test.each(other)("changes with %s", (_what, one, another) => {
    expect(definitionOf(another)).not.toBe(definitionOf(one));
    expect(definitionOf({ ...one })).toBe(definitionOf(one));
  });

  test("does not change with settings that do not determine the rows", () => {
    const same = [
      incremental(info, { description: "more" }),
      incremental(info, { schemaPolicy: "freeze" }),
      incremental(info, { quarantine: true, quarantineMaxPercent: 1 }),
      incremental(info, { windowDays: 3 }),
      incremental(info, { partitionBy: "day", partitionGranularity: "year" }),
    ];
    expect(definitionOf(planOf({ ...info, identity: "b.duckdb" }))).toBe(definitionOf(planOf(info)));
    for (const plan of same) expect(definitionOf(plan)).toBe(definitionOf(changing));
    expect(definitionOf({ ...parted, partitionGranularity: "month" })).toBe(definitionOf(parted));
  });

  test("contains the merge rules for tables that are merged", () => {
    const rules = { rules: 2 };
    expect(JSON.parse(definitionOf(changing))).toContainEqual(rules);
    expect(JSON.parse(definitionOf(planOf(info)))).not.toContainEqual(rules);
  });
});

test("decideRead() reads in full when the new type of the cursor column sorts differently", () => {
  const at = (type: string) => ({ columns: [{ name: "at", type, nullable: true }], cursor });
  const accepted = {
    kind: "whole",
    accept: true,
    notes: ["the sort order of its cursor column at changed with its type, so the table was read in full"],
  } as const;
  expect(decideRead(changing, published(changing, at("VARCHAR")), usual)).toEqual(accepted);
  expect(decideRead(changing, published(changing, at("DATE")), usual)).toEqual(accepted);
  const frozen = incremental(info, { schemaPolicy: "freeze" });
  expect(decideRead(frozen, published(frozen, at("VARCHAR")), usual)).toEqual({ ...accepted, accept: false });
  for (const type of ["INTEGER", "DOUBLE", "DECIMAL(18,3)", "BIGINT"]) {
    expect(decideRead(changing, published(changing, at(type)), usual).kind).toBe("delta");
  }
  const days = incremental(info, { cursor: "day" });
  const day = { name: "day", type: "DATE", nullable: true };
  const before = published(days, { columns: [day], cursor: { column: "day", value: "2026-01-01" } });
  expect(decideRead(days, before, usual).kind).toBe("delta");
});
