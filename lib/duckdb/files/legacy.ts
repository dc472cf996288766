import type { FileInput, InspectedFiles, InspectOptions } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";
import { fileRelation } from "../file-relation.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk } from "./open-file.ts";

export async function legacyInspect(
  connection: Connection,
  files: readonly FileInput[],
  options: InspectOptions,
): Promise<Pick<InspectedFiles, "reading" | "columns">> {
  const { format, types = {} } = options;
  const columns = new Map<string, { name: string; type: string; given?: boolean }>();
  for (const { path, compression } of files) {
    const chunk = {
      kind: "file",
      format,
      data: path,
      ...(compression === undefined ? {} : { compression }),
    } as const;
    const rows = await connection.rows<{ column_name: string; column_type: string }>(
      `DESCRIBE SELECT * FROM ${fileRelation(chunk)}`,
    );
    for (const row of rows) {
      const given = types[row.column_name];
      if (!columns.has(row.column_name))
        columns.set(row.column_name, {
          name: row.column_name,
          type: given ?? row.column_type,
          ...(given === undefined ? {} : { given: true }),
        });
    }
  }
  return {
    reading: { format, columns: [...columns.values()] },
    columns: new Map(files.map(({ path }) => [path, null])),
  };
}

export async function legacyOpen(chunk: ReadableChunk, options: OpenFileOptions): Promise<OpenFile> {
  const { reading, ...rest } = chunk;
  const rows = await options.connection.rows<{ column_name: string; column_type: string }>(
    `DESCRIBE SELECT * FROM ${fileRelation(rest)}`,
  );
  const types = new Map(reading.columns.map((column) => [column.name, column.type]));
  const isJson = chunk.format !== "parquet";
  const present = isJson
    ? reading.columns
    : rows.map(({ column_name: name, column_type: type }) => ({ name, type }));
  const relation = isJson ? fileRelation(rest, { columns: Object.fromEntries(types) }) : fileRelation(rest);
  return {
    present,
    isEmpty: false,
    select: `SELECT * FROM ${relation}`,
    explain: async (error) => error,
    sortOut: async () => ({ select: `SELECT * FROM ${relation}`, rejected: (async function* () {})() }),
    [Symbol.asyncDispose]: async () => {},
  };
}
