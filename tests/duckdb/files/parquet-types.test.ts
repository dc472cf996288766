import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { expect, test } from "bun:test";

import { open, rejection, temporaryDirectory } from "../support.ts";
import { readTable } from "./support.ts";

/** Reads a table of one Parquet file for each value, given as SQL. */
async function readValues(values: readonly string[]) {
  await using directory = await temporaryDirectory();
  await using session = await open();
  const contents: Record<string, Uint8Array> = {};
  for (const [at, value] of values.entries()) {
    const path = join(directory.path, `${at}.parquet`);
    await session.connection.run(`COPY (SELECT ${value} AS v) TO '${path}' (FORMAT parquet)`);
    contents[`${at}.parquet`] = await readFile(path);
  }
  return await readTable(contents, { format: "parquet" });
}

test.each([
  [
    ["[1]", "[1.5::DOUBLE]", "['x']", "'x'"],
    'its column "v" is VARCHAR, but INTEGER[] in 0.parquet; no type holds both',
  ],
  [
    ["1::DECIMAL(10,2)", "1::DECIMAL(25,5)", "[1]"],
    'its column "v" is INTEGER[], but DECIMAL(10,2) in 0.parquet; no type holds both',
  ],
  [["1", "'x'", "[1]"], 'its column "v" is INTEGER[], but INTEGER in 0.parquet; no type holds both'],
  [
    ["1::DECIMAL(30,2)", "1::DECIMAL(30,5)", "1::DECIMAL(38,3)"],
    'its column "v" is DECIMAL(38,3), but DECIMAL(30,5) in 1.parquet; no type holds both',
  ],
  [
    ["1::BIGINT", "1::UBIGINT", "1::DECIMAL(2,1)"],
    'its column "v" is DECIMAL(2,1), but BIGINT in 0.parquet and UBIGINT in 1.parquet; no type holds all',
  ],
])(
  "inspectParquet() names a file with its own type beside one that does not go with it: %s",
  async (values, told) => {
    const error = await rejection(readValues(values));
    expect(error.message).toContain(`"${values.length - 1}.parquet": ${told}, so give one under types`);
  },
);

test("openParquetFile() names a moment that nanoseconds do not reach", async () => {
  for (const [value, text] of [
    ["TIMESTAMP '9999-01-01'", "9999-01-01 00:00:00"],
    ["DATE '1500-01-01'", "1500-01-01"],
    ["[TIMESTAMP '9999-01-01']", "['9999-01-01 00:00:00']"],
  ] as const) {
    const nanoseconds = value.startsWith("[") ? "[TIMESTAMP_NS '2024-01-01']" : "TIMESTAMP_NS '2024-01-01'";
    const error = await rejection(readValues([value, nanoseconds]));
    expect(error).toMatchObject({ code: "file_value_invalid", details: { column: "v", value: text } });
  }
});
