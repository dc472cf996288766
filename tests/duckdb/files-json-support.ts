import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { inspectJson, openJsonFile } from "../../lib/duckdb/files/json/mod.ts";
import type { FileColumn, FileInput, FileReading, InspectOptions } from "../../lib/kit/mod.ts";
import type { RejectedRow } from "../../lib/duckdb/files/opened-file.ts";
import { open, temporaryDirectory } from "./support.ts";

/** The result of reading files: the columns, and the rows of all files in order, as JSON text. */
export interface ReadFiles {
  readonly columns: readonly FileColumn[];
  readonly types: Readonly<Record<string, string>>;
  readonly empty: readonly string[];
  readonly perFile: Readonly<Record<string, readonly string[] | null | undefined>>;
  readonly rows: readonly Record<string, unknown>[];
  readonly texts: readonly string[];
}

/** Writes files, by name and content, and reads them as one table. Names that end in `.json` are read as JSON. */
export async function readJson(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: Partial<InspectOptions> = {},
  constants?: Readonly<Record<string, string | null>>,
): Promise<ReadFiles> {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  await connection.run("SET preserve_insertion_order = true");
  const inputs: (FileInput & { readonly origin: string })[] = [];
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    inputs.push({ path, origin: name, ...(constants === undefined ? {} : { constants }) });
  }
  const format = /[.]json($|[.])/.test(Object.keys(files)[0]!) ? "json" : "ndjson";
  const { columns, perFile } = await inspectJson(
    connection,
    inputs.map((input) => ({ ...input, files: connection.files })),
    { format, ...options },
  );
  const rows: Record<string, unknown>[] = [];
  const texts: string[] = [];
  for (const input of inputs) {
    if (columns.length === 0) continue;
    await using file = await openJsonFile(chunkOf(input, { format, columns }), {
      connection,
      directory: directory.path,
    });
    const sql = `SELECT CAST(to_json(t) AS VARCHAR) AS text, * FROM (${file.select}) t`;
    const own = await connection.rows<{ text: string }>(sql).catch(async (error: unknown) => {
      throw await file.explain(error);
    });
    if (file.isEmpty !== (own.length === 0)) throw new Error(`${own.length} rows were read`);
    for (const { text, ...row } of own) {
      texts.push(text);
      rows.push(row);
    }
  }
  return {
    columns,
    types: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
    empty: inputs.filter(({ path }) => perFile.get(path)?.length === 0).map(({ origin }) => origin),
    perFile: Object.fromEntries(inputs.map(({ path, origin }) => [origin, perFile.get(path)])),
    rows,
    texts,
  };
}

/** Reads one NDJSON file with known columns. */
export async function readKnown(
  content: string,
  columns: readonly FileColumn[],
  name = "t.ndjson",
): Promise<readonly Record<string, unknown>[]> {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const path = join(directory.path, name);
  await writeFile(path, content);
  const chunk = chunkOf({ path, origin: name }, { format: "ndjson", columns });
  const { connection } = opened;
  await using file = await openJsonFile(chunk, { connection });
  try {
    return await connection.rows(`SELECT * FROM (${file.select})`);
  } catch (error) {
    throw await file.explain(error);
  }
}

/** The remaining rows of a file without the rejected ones, and the rejected rows. */
export async function separateRejected(
  name: string,
  content: string | Uint8Array,
  columns: readonly FileColumn[],
): Promise<{
  readonly good: readonly string[];
  readonly values: readonly Record<string, unknown>[];
  readonly rejected: readonly RejectedRow[];
}> {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  const path = join(directory.path, name);
  await writeFile(path, content);
  const reading = { format: name.endsWith(".json") ? "json" : "ndjson", columns } as const;
  const options = { connection, directory: directory.path };
  await using file = await openJsonFile(chunkOf({ path, origin: name }, reading), options);
  const { select, rejected } = await file.separateRejected(connection);
  const rows: RejectedRow[] = [];
  for await (const row of rejected) rows.push(row);
  await connection.run("SET preserve_insertion_order = true");
  const good = await connection.rows<{ text: string; [column: string]: unknown }>(
    `SELECT CAST(to_json(t) AS VARCHAR) AS text, * FROM (${select}) t`,
  );
  return { good: good.map(({ text }) => text), values: good, rejected: rows };
}

function chunkOf(
  { path, origin, constants = {} }: FileInput & { readonly origin: string },
  reading: FileReading,
) {
  return { kind: "file", format: reading.format, data: path, origin, constants, reading } as const;
}
