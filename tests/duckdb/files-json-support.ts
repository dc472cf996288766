import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { inspectJson, openJson } from "../../lib/duckdb/files/json/mod.ts";
import type { FileColumn, InspectOptions } from "../../lib/kit/mod.ts";
import { open, temporaryDirectory } from "./support.ts";

/** What was read of files: the columns, and the rows of all files in order, each as the JSON text of its record. */
export interface ReadFiles {
  readonly columns: readonly FileColumn[];
  readonly types: Readonly<Record<string, string>>;
  readonly empty: readonly string[];
  readonly rows: readonly Record<string, unknown>[];
  readonly texts: readonly string[];
}

/** Writes files, by name and content, and reads them as one table. Names that end in `.json` are read as JSON. */
export async function readJson(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<InspectOptions> = {},
): Promise<ReadFiles> {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  await connection.run("SET preserve_insertion_order = true");
  const inputs: { readonly path: string; readonly origin: string }[] = [];
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    inputs.push({ path, origin: name });
  }
  const format = /[.]json($|[.])/.test(Object.keys(files)[0]!) ? "json" : "ndjson";
  const { columns, empty } = await inspectJson(connection, inputs, { format, ...options });
  const rows: Record<string, unknown>[] = [];
  const texts: string[] = [];
  for (const input of inputs) {
    if (columns.length === 0) continue;
    await using file = await openJson(input, { format, columns }, { connection, directory: directory.path });
    const own = await connection.rows<{ text: string }>(
      `SELECT CAST(to_json(t) AS VARCHAR) AS text, * FROM ${file.relation} t`,
    );
    if (own.length !== file.rows) throw new Error(`${file.rows} rows were counted, ${own.length} read`);
    for (const { text, ...row } of own) {
      texts.push(text);
      rows.push(row);
    }
  }
  return {
    columns,
    types: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    empty: inputs.filter(({ path }) => empty.has(path)).map(({ origin }) => origin),
    rows,
    texts,
  };
}

/** Reads one NDJSON file by columns that are known already. */
export async function readKnown(
  content: string,
  columns: readonly FileColumn[],
  name = "t.ndjson",
): Promise<readonly Record<string, unknown>[]> {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const path = join(directory.path, name);
  await writeFile(path, content);
  const reading = { format: "ndjson" as const, columns };
  await using file = await openJson({ path, origin: name }, reading, { connection: opened.connection });
  return opened.connection.rows(`SELECT * FROM ${file.relation}`);
}
