import { afterEach, beforeEach, expect, test } from "bun:test";

import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";

import { createAgnes } from "../../lib/mod.ts";
import files from "../../plugins/files/plugin.ts";
import { makeFolder, type Folder } from "./support.ts";
import { syncFolder } from "./sync-folder.ts";

let folder: Folder;
beforeEach(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await folder[Symbol.asyncDispose]();
});

type Column = Omit<SchemaElement, "name" | "repetition_type">;

/** A Parquet file with the columns `id` and `v`, whose raw values are invalid for its type. */
function parquet(
  column: Column,
  values: readonly unknown[],
  metadata: readonly { key: string; value: string }[] = [],
) {
  const id: SchemaElement = { name: "id", type: "INT32", repetition_type: "REQUIRED" };
  const v: SchemaElement = { name: "v", repetition_type: "REQUIRED", ...column };
  return new Uint8Array(
    parquetWriteBuffer({
      schema: [{ name: "root", num_children: 2 }, id, v],
      columnData: [
        { name: "id", data: values.map((_, at) => at) },
        { name: "v", data: [...values] },
      ],
      kvMetadata: [...metadata],
      statistics: false,
    }),
  );
}

const GEO = JSON.stringify({
  version: "1.0.0",
  primary_column: "v",
  columns: { v: { encoding: "WKB", geometry_types: ["Point"] } },
});
const POINT = Buffer.from("0101000000000000000000f03f0000000000000040", "hex");
const micros = { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MICROS" } as const;
const millis = { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "MILLIS" } as const;

test("a Parquet value that cannot be read is an error that names file and column", async () => {
  const text = Buffer.from("ok");
  for (const [name, file, reason] of [
    [
      "text",
      parquet({ type: "BYTE_ARRAY", converted_type: "UTF8" }, [text, Buffer.from([0xff, 0xfe])]),
      'Invalid string encoding found: value "\\xFF\\xFE" is not valid UTF8!',
    ],
    [
      "shape",
      parquet({ type: "BYTE_ARRAY" }, [POINT, POINT.subarray(0, 3)], [{ key: "geo", value: GEO }]),
      "Unexpected end of binary data at position 1",
    ],
    [
      "micros",
      parquet({ type: "INT64", logical_type: micros }, [0n, -(2n ** 63n)]),
      "Date out of range in timestamp conversion",
    ],
    [
      "millis",
      parquet({ type: "INT64", logical_type: millis }, [0n, 2n ** 62n]),
      "Could not convert Timestamp(MS) to Timestamp(US)",
    ],
  ] as const) {
    await folder.write(`data/${name}.parquet`, file);
    for (const plan of [{}, { quarantine: true }]) {
      const { errors } = await syncFolder(folder, { path: `data/${name}.parquet` }, { plan });
      expect(errors.map(({ error }) => [error.code, error.message])).toEqual([
        ["file_unreadable", `could not read "${name}.parquet": a value of column "v": ${reason}`],
      ]);
      expect(errors[0]!.error.hint).toMatch(
        /^Write the file again .*leave the column out: `agnes table update ID --columns id`[.]$/,
      );
    }
    const without = await syncFolder(folder, { path: `data/${name}.parquet` }, { plan: { columns: ["id"] } });
    expect(without.errors).toEqual([]);
  }
});

test("the hint contains the command that leaves a column out", async () => {
  await folder.write("exports/p.parquet", parquet({ type: "INT64", logical_type: millis }, [0n, 2n ** 62n]));
  const sources = { exports: { plugin: "files", options: { path: "exports" } } };
  await using agnes = await createAgnes({
    workspace: folder.path,
    plugins: [files],
    config: { version: 1, sources },
  });
  const [failure] = (await agnes.sync()).sources[0]!.stats!.errors;
  expect(failure!.error.hint).toContain("`agnes table update exports.p --columns id`");
});

test("a Parquet time outside a day is an error, or quarantined, and does not crash the process", async () => {
  const time = { type: "TIME", isAdjustedToUTC: false, unit: "MICROS" } as const;
  for (const value of [2n ** 62n, -5n, 86_400_000_000n, 86_400_000_001n]) {
    const values = [...Array.from({ length: 40 }, () => 0n), 86_399_999_999n, value];
    await folder.write("data/t.parquet", parquet({ type: "INT64", logical_type: time }, values));
    const [failure] = (await syncFolder(folder, { path: "data" })).errors;
    const text = value === 86_400_000_000n ? "24:00:00" : `${value} microseconds outside a day`;
    expect(failure!.error.message).toBe(`"t.parquet", column v: "${text}" is not TIME`);
    const { tables } = await syncFolder(folder, { path: "data" }, { plan: { quarantine: true } });
    expect(tables[0]).toMatchObject({ rows: 41, rowsQuarantined: 1 });
    if (text !== "24:00:00") continue;
    const asText = { path: "data", tables: { t: { types: { v: "VARCHAR" } } } };
    expect((await syncFolder(folder, asText)).tables[0]).toMatchObject({ rows: 42 });
  }
});
