import { expect, test } from "bun:test";
import { join } from "node:path";

import * as arrow from "apache-arrow";

import { inspectFiles, openFile, type Connection } from "../../lib/duckdb/mod.ts";
import { open, rejection, temporaryDirectory } from "./support.ts";

const { SECOND, MICROSECOND, MILLISECOND } = arrow.TimeUnit;

/** Writes a Parquet file with the schema that Arrow's writers add. */
async function write(
  connection: Connection,
  path: string,
  select: string,
  types: Record<string, arrow.DataType> | string,
): Promise<void> {
  const fields = typeof types === "string" ? [] : Object.entries(types);
  const schema = new arrow.Schema(fields.map(([name, type]) => new arrow.Field(name, type, true)));
  const text =
    typeof types === "string"
      ? types
      : Buffer.from(arrow.tableToIPC(new arrow.Table(schema), "stream")).toString("base64");
  await connection.run(
    `COPY (${select}) TO '${path}' (FORMAT parquet, KV_METADATA {"ARROW:schema": '${text}'})`,
  );
}

test("inspectFiles() reports the unit of durations in Parquet, also in nested types", async () => {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  const path = join(directory.path, "a.parquet");
  const milliseconds = new arrow.Duration(MILLISECOND);
  await write(
    connection,
    path,
    "SELECT 1::BIGINT AS id, 1500::BIGINT AS d, {'x': 1::BIGINT, 'y': [2::BIGINT]} AS s",
    {
      id: new arrow.Int64(),
      d: new arrow.Duration(MICROSECOND),
      s: new arrow.Struct([
        new arrow.Field("x", milliseconds, true),
        new arrow.Field("y", new arrow.List(new arrow.Field("item", milliseconds, true)), true),
      ]),
    },
  );
  const { reading, schema } = await inspectFiles(connection, [{ path }], { format: "parquet" });
  expect(reading!.columns).toEqual([
    { name: "id", type: "BIGINT" },
    { name: "d", type: "BIGINT", description: "duration in microseconds" },
    {
      name: "s",
      type: "STRUCT(x BIGINT, y BIGINT[])",
      description: "s.x is a duration in milliseconds; s.y[] is a duration in milliseconds",
    },
  ]);
  expect(schema.fields.map(({ metadata }) => metadata.get("description"))).toEqual([
    undefined,
    "duration in microseconds",
    "s.x is a duration in milliseconds; s.y[] is a duration in milliseconds",
  ]);
  const chunk = {
    kind: "file",
    format: "parquet",
    data: path,
    origin: "a.parquet",
    reading: reading!,
  } as const;
  await using file = await openFile(chunk, { connection });
  expect(await connection.rows(`SELECT d FROM (${file.select})`)).toEqual([{ d: 1500n }]);
});

test("inspectFiles() rejects durations in different units, and a known table accepts no other unit", async () => {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  const inputs = [];
  for (const [name, unit] of [
    ["a", SECOND],
    ["b", MICROSECOND],
  ] as const) {
    const path = join(directory.path, `${name}.parquet`);
    await write(connection, path, "SELECT 1::BIGINT AS d", { d: new arrow.Duration(unit) });
    inputs.push({ path, origin: `${name}.parquet` });
  }
  const problem = await rejection(inspectFiles(connection, inputs, { format: "parquet" }));
  expect(problem.message).toMatch(
    /b\.parquet.*column "d" is declared as duration in microseconds, but as duration in seconds in a\.parquet/,
  );
  const { reading } = await inspectFiles(connection, inputs.slice(0, 1), { format: "parquet" });
  const { path: data, origin } = inputs[1]!;
  const chunk = { kind: "file", format: "parquet", data, origin, reading: reading! } as const;
  expect(await rejection(openFile(chunk, { connection }))).toMatchObject({
    code: "file_reading_outdated",
    message: expect.stringMatching(/b\.parquet.*"d" is declared as duration in microseconds/),
  });
});

test("inspectFiles() ignores an invalid Arrow schema of a Parquet file", async () => {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  const path = join(directory.path, "a.parquet");
  for (const text of ["", "!", "AAAA", "/////wAAAAA="]) {
    await write(connection, path, "SELECT 1::BIGINT AS d", text);
    const { reading } = await inspectFiles(connection, [{ path }], { format: "parquet" });
    expect(reading!.columns).toEqual([{ name: "d", type: "BIGINT" }]);
  }
});
