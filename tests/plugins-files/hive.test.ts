import { describe, expect, test } from "bun:test";

import { partitionsOf, tablePartitions } from "../../plugins/files/hive.ts";

describe("files: hive partitions", () => {
  test("partitionsOf() uses folders with = and ignores the file name", () => {
    expect(partitionsOf("year=2024/month=01/a=b.csv")).toEqual([
      ["year", "2024"],
      ["month", "01"],
    ]);
    expect(partitionsOf("a.csv")).toEqual([]);
    expect(partitionsOf("raw/=x/day=1/more/a.csv")).toEqual([["day", "1"]]);
    expect(partitionsOf("f=a=b/e=/a.csv")).toEqual([
      ["f", "a=b"],
      ["e", ""],
    ]);
  });

  test("partitionsOf() decodes escapes and null", () => {
    expect(partitionsOf("at=2024-01-01 10%3A00/n%61me=%C3%84/x=__HIVE_DEFAULT_PARTITION__/a.csv")).toEqual([
      ["at", "2024-01-01 10:00"],
      ["name", "Ä"],
      ["x", null],
    ]);
    expect(partitionsOf("share=100%/a.csv")).toEqual([["share", "100%"]]);
  });

  test("tablePartitions() returns the values of each file, in the order of the first", () => {
    const found = tablePartitions("events", ["year=2024/m=1/a.csv", "m=2/year=2025/a.csv"]);
    expect([...found].map(([origin, values]) => [origin, [...values]])).toEqual([
      [
        "year=2024/m=1/a.csv",
        [
          ["year", "2024"],
          ["m", "1"],
        ],
      ],
      [
        "m=2/year=2025/a.csv",
        [
          ["year", "2025"],
          ["m", "2"],
        ],
      ],
    ]);
    expect([...tablePartitions("events", ["a.csv", "b.csv"]).values()].map(({ size }) => size)).toEqual([
      0, 0,
    ]);
  });

  test("tablePartitions() names both files whose partition columns differ", () => {
    for (const origins of [
      ["year=2024/a.csv", "year=2024/month=1/b.csv"],
      ["year=2024/a.csv", "b.csv"],
      ["year=2024/a.csv", "Year=2024/b.csv"],
    ]) {
      expect(() => tablePartitions("events", origins)).toThrow(
        expect.objectContaining({
          code: "files/partitions_differ",
          message: expect.stringMatching(/"events".*a\.csv and .*b\.csv/),
        }),
      );
    }
    expect(() => tablePartitions("events", ["a=1/A=2/x.csv"])).toThrow(
      /a file contains a and A, which differ only by case: a=1\/A=2\/x\.csv$/,
    );
    expect(() => tablePartitions("events", ["a=1/a=2/x.csv"])).toThrow(/contains a twice: a=1\/a=2\/x\.csv$/);
  });
});
