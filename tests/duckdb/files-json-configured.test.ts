import { expect, test } from "bun:test";

import { readJson, separateRejected } from "./files-json-support.ts";

type Case = readonly [type: string, good: string, read: string, ...bad: readonly string[]];

/** A valid and an invalid value as JSON, and the result of the valid one. */
const CASES: readonly Case[] = [
  [
    "TIME",
    '"10:00:00.5"',
    '"10:00:00.5"',
    '"2026-01-01 10:00:00"',
    '"10:00:00.1234567"',
    '"24:00:00"',
    '"x"',
  ],
  ["TIMESTAMP_S", '"2026-01-31T10:00:00"', '"2026-01-31 10:00:00"', '"2026-01-31 10:00:00.9"', '"infinity"'],
  ["TIMESTAMP_MS", '"2026-01-31 10:00:00.12"', '"2026-01-31 10:00:00.12"', '"2026-01-31 10:00:00.1239"'],
  [
    "TIMESTAMP_NS",
    '"2026-01-31 10:00:00.123456789"',
    '"2026-01-31 10:00:00.123456789"',
    '"2026-01-31 10:00:00.1234567891"',
    '"9999-01-01 00:00:00"',
  ],
  ["TIME WITH TIME ZONE", '"10:00:00.5+02"', '"10:00:00.5+02"', '"10:00:00.1234567+02"', '"x"'],
  ["INTERVAL", '"1 day 00:00:00.5"', '"1 day 00:00:00.5"', '"0.0000001 seconds"', '"007"'],
  ["UUID", '"0B5F1A7E-8C1D-4E2B-9F3A-6D7C8B9A0E1F"', '"0b5f1a7e-8c1d-4e2b-9f3a-6d7c8b9a0e1f"', '"x"'],
  ["BIT", '"0101"', '"0101"', '"012"'],
  ["BIGNUM", '"123456789012345678901234567890"', "123456789012345678901234567890", '"1x"'],
  ["ENUM('a', 'b')", '"a"', '"a"', '"c"'],
  ["UNION(n INTEGER, s VARCHAR)", '"x"', '{"s":"x"}'],
  ["UNION(n INTEGER)", "null", "null", '"x"'],
  ["INTEGER", "1.0", "1", '"1.0"'],
  ["TIME[]", '["10:00:00"]', '["10:00:00"]', '["24:00:01"]'],
  ["INTEGER[2]", "[1, 2]", "[1,2]", "[1]"],
  ["STRUCT(t TIME, n INTEGER)", '{"t": "10:00:00", "n": 1}', '{"t":"10:00:00","n":1}', '{"t": "x"}'],
  ["MAP(VARCHAR, UUID)", "{}", "{}", '{"a": "x"}'],
];

test.each(CASES)(
  "a value of %s is published as written, or reported with its line",
  async (type, good, text, ...bad) => {
    const types = { v: type };
    const read = (json: string) => readJson({ "t.ndjson": `{"v":${good}}\n\n{"v":${json}}\n` }, { types });
    expect((await read("null")).texts).toEqual([`{"v":${text}}`, '{"v":null}']);
    for (const value of bad) {
      const error = await read(value).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "file_value_invalid", details: { line: 3, column: "v" } });
      if (value.startsWith('"'))
        expect(error).toMatchObject({ details: { value: JSON.parse(value) as string } });
    }
  },
);

test("errors of values of a configured type name their line", async () => {
  const content = '[{\n"id":1,"t":"10:00:00"\n},{\n"t":"24:00:00",\n"id":2\n}]';
  const error = await readJson({ "t.json": content }, { types: { t: "TIME" } }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ details: { file: "t.json", line: 4, column: "t", value: "24:00:00" } });
});

test("rows with such values are rejected with the others, in file order", async () => {
  const time = { name: "c", type: "TIME", isConfigured: true };
  const columns = [
    time,
    { name: "C_1", key: "C", type: "TIME[]", isConfigured: true },
    { name: "n", type: "BIGINT" },
  ];
  const lines = [
    '{"c":"10:00:00","C":["10:00:00"],"n":1}',
    '{"c":"10:00:00.1234567","n":2}',
    '{"c":"10:00:00","n":"x"}',
    "5",
    '{"c":"11:00:00","C":["24:00:01"],"n":3}',
    '{"c":null,"C":null,"n":4}',
  ];
  const { good, rejected } = await separateRejected("t.ndjson", `${lines.join("\n")}\n`, columns);
  expect(good).toEqual(['{"c":"10:00:00","C_1":["10:00:00"],"n":1}', '{"c":null,"C_1":null,"n":4}']);
  expect(rejected.map(({ row, column, value }) => [row, column, value])).toEqual([
    [2, "c", "10:00:00.1234567"],
    [3, "n", "x"],
    [4, "", "5"],
    [5, "C_1", "['24:00:01']"],
  ]);
  expect(JSON.stringify(rejected[0]!.record)).toContain("10:00:00.1234567");
});
