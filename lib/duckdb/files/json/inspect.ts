import { stat } from "node:fs/promises";

import type { FileColumn, FileInput, InspectOptions } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { decideColumns } from "./decide.ts";
import { scanFile } from "./scan-file.ts";
import { Shape } from "./shape.ts";
import { ShapeWalk } from "./walk.ts";

/** What a look at JSON files found. */
export interface InspectedJson {
  readonly columns: readonly FileColumn[];
  /** The paths of the files without a row. */
  readonly empty: ReadonlySet<string>;
  readonly notes: readonly string[];
}

/** Files that are larger together are looked at in part. */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024;
const ROWS_LOOKED_AT = 20_480;
export const COLUMNS_MAX = 10_000;

/**
 * Decides the columns of all JSON files of a table together, whatever the order of the files: the narrowest types from
 * which every value that is looked at reads back. Types that are given or known stay; see `InspectOptions`.
 *
 * @throws `file_unreadable` naming file and line, for what is not JSON by RFC 8259 or no table
 */
export async function inspectJson(
  connection: Connection,
  files: readonly FileInput[],
  options: InspectOptions,
): Promise<InspectedJson> {
  const root = new Shape();
  const empty = new Set<string>();
  const isWhole = options.whole === true || (await totalBytes(files)) <= WHOLE_BYTES_MAX;
  for (const file of files) {
    const walk = new ShapeWalk(root, {
      columnsMax: COLUMNS_MAX,
      ...(isWhole ? {} : { rowsMax: ROWS_LOOKED_AT }),
    });
    const { rows } = await scanFile(file, options.format === "ndjson", walk, {
      connection,
      signal: options.signal,
    });
    if (rows === 0) empty.add(file.path);
  }
  const columns = decideColumns(root, {
    fractions: options.fractions ?? "decimal",
    types: options.types ?? {},
    known: options.known?.columns ?? [],
  });
  return { columns: await canonical(connection, columns), empty, notes: [] };
}

async function totalBytes(files: readonly FileInput[]): Promise<number> {
  let bytes = 0;
  for (const { path } of files) bytes += (await stat(path)).size;
  return bytes;
}

/** The types as DuckDB writes them. */
async function canonical(connection: Connection, columns: readonly FileColumn[]): Promise<FileColumn[]> {
  const nested = columns.filter(({ type, given }) => given === true || /[([]/.test(type));
  if (nested.length === 0) return [...columns];
  const types = nested.map(({ type }, at) => `typeof(CAST(NULL AS ${type})) AS t${at}`);
  const [row] = await connection.rows<Record<string, string>>(`SELECT ${types.join(", ")}`);
  const written = new Map(nested.map((column, at) => [column, row![`t${at}`]!]));
  return columns.map((column) => ({ ...column, type: written.get(column) ?? column.type }));
}
