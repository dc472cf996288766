import { join } from "node:path";
import { readFile, writeFile } from "node:fs/promises";

import { inspectParquet, openParquetFile } from "../../lib/duckdb/files/parquet/mod.ts";
import type { RejectedRow } from "../../lib/duckdb/files/opened-file.ts";
import type { FileColumn, FileInput, InspectOptions } from "../../lib/kit/mod.ts";
import { open, temporaryDirectory } from "./support.ts";

interface ReadParquet {
  readonly types: Readonly<Record<string, string>>;
  /** The rows of all files in order, as the JSON text of their records. */
  readonly rows: readonly string[];
  readonly rejected: readonly RejectedRow[];
}

/** Writes the rows of each SELECT to a Parquet file and reads the files as one table. */
export async function readParquet(
  selects: readonly string[],
  options: Partial<InspectOptions> & {
    readonly constants?: FileInput["constants"];
    readonly change?: (bytes: Buffer) => Uint8Array;
    readonly columns?: readonly FileColumn[];
    readonly sortsOut?: boolean;
  } = {},
): Promise<ReadParquet> {
  await using directory = await temporaryDirectory();
  await using opened = await open();
  const { connection } = opened;
  const inputs: FileInput[] = [];
  for (const [at, select] of selects.entries()) {
    const path = join(directory.path, `year=20${at}[x]-${at}.parquet`);
    await connection.run(`COPY (${select}) TO '${path}' (FORMAT parquet, PRESERVE_ORDER true)`);
    if (options.change !== undefined) await writeFile(path, options.change(await readFile(path)));
    const { constants } = options;
    inputs.push({ path, origin: `${at}.parquet`, ...(constants === undefined ? {} : { constants }) });
  }
  const found = await inspectParquet(
    connection,
    inputs.map((input) => ({ ...input, files: connection.files })),
    { format: "parquet", ...options },
  );
  const columns = options.columns ?? found.columns;
  await connection.run("SET preserve_insertion_order = true");
  const rows: string[] = [];
  const rejected: RejectedRow[] = [];
  for (const { path, origin, constants = {} } of inputs) {
    const reading = { format: "parquet", columns } as const;
    const chunk = {
      kind: "file",
      format: "parquet",
      data: path,
      origin: origin!,
      constants,
      reading,
    } as const;
    await using file = await openParquetFile(chunk, { connection });
    let { select } = file;
    if (options.sortsOut === true) {
      const sorted = await file.separateRejected(connection);
      for await (const row of sorted.rejected) rejected.push(row);
      ({ select } = sorted);
    }
    const own = await connection
      .rows<{ text: string }>(`SELECT CAST(to_json(t) AS VARCHAR) AS text FROM (${select}) t`)
      .catch(async (error: unknown) => {
        throw await file.explain(error);
      });
    rows.push(...own.map(({ text }) => text));
  }
  return { types: Object.fromEntries(columns.map(({ name, type }) => [name, type])), rows, rejected };
}
