import { expect, test } from "bun:test";

import { readJson, sortOut } from "./files-json-support.ts";
import { rejection } from "./support.ts";

test.each([
  ["TIME", "2026-01-01 10:00:00", "10:00:00.1234567", "24:00:00", "25:00:00", "x", ""],
  ["TIME WITH TIME ZONE", "10:00:00.1234567+02", "10:00:00", "x"],
  ["TIMESTAMP_S", "2026-01-01 10:00:00.9", "2026-01-01 10:00:00Z", "0000-01-01", "x"],
  ["TIMESTAMP_MS", "2026-01-01 10:00:00.1239", "x"],
  ["INTERVAL", "0.0000001 seconds", "007", "1.5 days", "x", ""],
  ["UUID", "x", "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}"],
  ["BIT", "102", ""],
  ["BIGNUM", "1.5", "007"],
])(
  "openJsonFile() refuses texts of which %s would not keep all, with line and column",
  async (type, ...values) => {
    for (const value of values) {
      const content = `{"v":null}\n{"v":${JSON.stringify(value)}}\n`;
      expect(await rejection(readJson({ "t.ndjson": content }, { types: { v: type } }))).toMatchObject({
        code: "file_value_invalid",
        details: { file: "t.ndjson", line: 2, column: "v", value, type },
      });
    }
  },
);

test.each([
  ["TIME", { "10:00:00": "10:00:00", "23:59:59.1234560": "23:59:59.123456" }],
  ["TIME WITH TIME ZONE", { "10:00:00.5+02": "10:00:00.5+02", "10:00:00-05:30": "10:00:00-05:30" }],
  [
    "TIMESTAMP_S",
    {
      "2026-01-01": "2026-01-01 00:00:00",
      "2026-01-01T10:00": "2026-01-01 10:00:00",
      "2026-01-01 10:00:01.000": "2026-01-01 10:00:01",
    },
  ],
  ["TIMESTAMP_MS", { "2026-01-01T10:00:00.1230": "2026-01-01 10:00:00.123" }],
  [
    "INTERVAL",
    {
      "1 year 2 months -3 days 04:05:06.789": "1 year 2 months -3 days 04:05:06.789",
      "2 hours": "02:00:00",
      "1.5 seconds": "00:00:01.5",
      "100:00:00": "100:00:00",
    },
  ],
  ["UUID", { "3F2504E0-4F89-41D3-9A0C-0305E82C3301": "3f2504e0-4f89-41d3-9a0c-0305e82c3301" }],
  ["BIT", { "0101": "0101" }],
])("openJsonFile() reads texts that %s keeps", async (type, values) => {
  const content = Object.keys(values)
    .map((value) => `${JSON.stringify({ v: value })}\n`)
    .join("");
  const { texts } = await readJson({ "t.ndjson": content }, { types: { v: type } });
  expect(texts.map((text) => (JSON.parse(text) as { v: unknown }).v)).toEqual(Object.values(values));
});

test("openJsonFile() checks such texts inside of records and lists, and sorts their rows out", async () => {
  const types = { o: "STRUCT(t TIME[])" };
  const good = '{"o":{"t":["10:00:00"]}}\n';
  const bad = '{"o":{"t":["10:00:00","10:00:00.1234567"]}}\n';
  expect(await rejection(readJson({ "t.ndjson": good + bad }, { types }))).toMatchObject({
    details: { line: 2, column: "o.t", value: "10:00:00.1234567" },
  });
  const columns = [{ name: "o", type: types.o, given: true }];
  const { rejected, good: kept } = await sortOut("t.ndjson", good + bad + good, columns);
  expect(kept).toHaveLength(2);
  expect(rejected).toMatchObject([{ row: 2, column: "o.t", value: "10:00:00.1234567" }]);
});

test("openJsonFile() reads whole numbers of any length from texts", async () => {
  const number = "-123456789012345678901234567890123456789012";
  const { texts } = await readJson({ "t.ndjson": `{"v":"${number}"}\n` }, { types: { v: "BIGNUM" } });
  expect(texts).toEqual([`{"v":${number}}`]);
});
