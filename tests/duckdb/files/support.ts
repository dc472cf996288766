import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { FileReading, InspectOptions } from "../../../lib/kit/mod.ts";
import { inspectFiles, openDatabase, openFile } from "../../../lib/duckdb/mod.ts";
import { temporaryDirectory } from "../support.ts";

/** The result of reading the files of one table. */
export interface ReadTable {
  readonly reading: FileReading;
  /** `name:TYPE`, with the format if there is one. */
  readonly columns: readonly string[];
  /** The rows of all files, in file and row order, with values as DuckDB prints them. */
  readonly rows: readonly (readonly (string | null)[])[];
  readonly notes: readonly string[];
}

/** Writes files, decides their reading and reads them. Errors are those that users see. */
export async function readTable(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<InspectOptions> = {},
): Promise<ReadTable> {
  await using directory = await temporaryDirectory();
  await using database = await openDatabase({ settings: { preserve_insertion_order: "true" } });
  await using connection = await database.connect();
  const inputs = [];
  for (const [origin, content] of Object.entries(files)) {
    const path = join(directory.path, origin);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    inputs.push({ path, origin });
  }
  const { reading } = await inspectFiles(connection, inputs, { format: "csv", ...options });
  if (reading === null) throw new Error("nothing to read");
  const rows: (readonly (string | null)[])[] = [];
  for (const { path, origin } of inputs) {
    const chunk = { kind: "file", format: reading.format, data: path, origin, reading } as const;
    await using file = await openFile(chunk, { connection });
    if (file.isEmpty) continue;
    const has = new Set(file.present.map(({ name }) => name));
    const list = reading.columns.map(({ name }) =>
      has.has(name) ? `CAST("${name.replaceAll('"', '""')}" AS VARCHAR)` : "NULL",
    );
    const read = () =>
      connection.rows<{ row: (string | null)[] }>(`SELECT [${list.join(", ")}] AS row FROM (${file.select})`);
    const found = await read()
      .catch(async (error: unknown) => {
        if ((await file.retry?.(error)) !== true) throw error;
        return read();
      })
      .catch(async (error: unknown) => {
        throw await file.explain(error);
      });
    rows.push(...found.map(({ row }) => row));
  }
  return {
    reading,
    columns: reading.columns.map(
      ({ name, type, format }) => `${name}:${type}${format === undefined ? "" : ` ${format}`}`,
    ),
    rows,
    notes: reading.notes ?? [],
  };
}

/** The type of a column with these texts, and its values. */
export async function readColumn(
  texts: readonly string[],
  options: Partial<InspectOptions> = {},
): Promise<readonly [type: string, ...values: (string | null)[]]> {
  const quoted = texts.map((text) => `"${text.replaceAll('"', '""')}"`);
  const { columns, rows } = await readTable({ "t.csv": `x\n${quoted.join("\n")}\n` }, options);
  return [columns[0]!.slice(2), ...rows.map(([value]) => value!)];
}
