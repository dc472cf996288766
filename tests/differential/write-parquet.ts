import { parquetWriteBuffer, type ColumnSource } from "hyparquet-writer";

import type { Draft } from "./draft.ts";
import { NULL_CELL, type Cell, type Dice, type WrittenFile, type WrittenTable } from "./model.ts";

/** Writes a table as Parquet, with `hyparquet-writer`: every column has a type of its own in the file. */
export function writeParquetTable(draft: Draft, dice: Dice): WrittenTable {
  const types = draft.columns.map((_, at) => typeOf(draft.files.flat().map((row) => row[at]!)));
  const folder = draft.files.length === 1 ? "" : `${draft.name}/`;
  const rowGroupSize = dice.pick([5, 1000]);
  const files = draft.files.map((rows, file): WrittenFile => {
    const cells = rows.map((row) => row.map((text, at) => cellOf(text, types[at]!)));
    const columnData = draft.columns.map(({ name }, at): ColumnSource => ({
      name,
      type: types[at]!,
      nullable: true,
      data: rows.map((row) => valueOf(row[at]!, types[at]!)),
    }));
    return {
      path: folder === "" ? `${draft.name}.parquet` : `${folder}${file + 1}.parquet`,
      bytes: new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize })),
      rows: cells,
    };
  });
  return {
    seed: draft.seed,
    name: draft.name,
    format: "parquet",
    dialect: `row groups of ${rowGroupSize}`,
    columns: draft.columns.map((column, at) => ({ ...column, what: `${column.what} as ${types[at]!}` })),
    files,
    options: null,
    malformed: null,
  };
}

type ColumnType = "INT64" | "DOUBLE" | "BOOLEAN" | "TIMESTAMP" | "STRING";

/** The narrowest type of the file that holds every text as it is written. */
function typeOf(texts: readonly (string | null)[]): ColumnType {
  const held = texts.filter((text) => text !== null);
  const all = (test: (text: string) => boolean): boolean => held.length > 0 && held.every(test);
  if (all((text) => text === "true" || text === "false")) return "BOOLEAN";
  if (all((text) => /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)).toString() === text))
    return "INT64";
  if (all((text) => String(Number(text)) === text && Number.isFinite(Number(text)))) return "DOUBLE";
  if (all((text) => momentOf(text) !== null)) return "TIMESTAMP";
  return "STRING";
}

/** A timestamp that milliseconds represent exactly. */
function momentOf(text: string): Date | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/.test(text)) return null;
  return new Date(text);
}

function valueOf(text: string | null, type: ColumnType): unknown {
  if (text === null) return null;
  switch (type) {
    case "INT64":
      return BigInt(text);
    case "DOUBLE":
      return Number(text);
    case "BOOLEAN":
      return text === "true";
    case "TIMESTAMP":
      return momentOf(text);
    case "STRING":
      return text;
  }
}

function cellOf(text: string | null, type: ColumnType): Cell {
  if (text === null) return NULL_CELL;
  switch (type) {
    case "INT64":
    case "DOUBLE":
      return { kind: "number", text };
    case "BOOLEAN":
      return { kind: "boolean", text };
    case "TIMESTAMP":
      return { kind: "moment", text };
    case "STRING":
      return { kind: "string", text };
  }
}
