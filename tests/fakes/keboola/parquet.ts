import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DuckDBInstance } from "@duckdb/node-api";

import { kindOf, type CellValue, type TypedColumn } from "./types.ts";

/** Rows of one slice. */
export type SliceRows = readonly (readonly CellValue[])[];

/** Writes each slice as a complete Parquet file, by DuckDB; columns without a type are VARCHAR. */
export async function writeParquet(
  columns: readonly string[],
  slices: readonly SliceRows[],
  typeOf: (column: string) => TypedColumn | undefined = () => undefined,
): Promise<readonly Uint8Array[]> {
  const directory = await mkdtemp(join(tmpdir(), "agnes-keboola-"));
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  const json = join(directory, "rows.json");
  const file = join(directory, "rows.parquet");
  const types = columns.map((_, at) => `c${at}: 'VARCHAR'`).join(", ");
  const names = columns
    .map((name, at) => `CAST(c${at} AS ${sqlType(typeOf(name))}) AS "${name.replaceAll('"', '""')}"`)
    .join(", ");
  try {
    const files: Uint8Array[] = [];
    for (const rows of slices) {
      const lines = rows.map(
        (row) => `${JSON.stringify(Object.fromEntries(row.map((value, at) => [`c${at}`, value])))}\n`,
      );
      await writeFile(json, lines.join(""));
      const source = `read_json('${json}', format = 'newline_delimited', columns = {${types}})`;
      await connection.run(
        `COPY (SELECT ${names} FROM ${source}) TO '${file}' (FORMAT parquet, COMPRESSION snappy)`,
      );
      files.push(new Uint8Array(await readFile(file)));
    }
    return files;
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(directory, { recursive: true, force: true });
  }
}

function sqlType(column: TypedColumn | undefined): string {
  if (column === undefined) return "VARCHAR";
  const { type, length = "38,9" } = column;
  switch (kindOf(type)) {
    case "number":
      if (/^(FLOAT|DOUBLE|REAL)/i.test(type)) return "DOUBLE";
      return /INT/i.test(type) ? "BIGINT" : `DECIMAL(${length})`;
    case "boolean":
      return "BOOLEAN";
    case "date":
      return "DATE";
    case "timestamp":
      return /TZ$/i.test(type) ? "TIMESTAMPTZ" : "TIMESTAMP";
    case "text":
      return "VARCHAR";
  }
}
