import { AgnesError, isAgnesError } from "../../../base/mod.ts";
import type { Connection } from "../../connection.ts";
import { withParquet } from "../../parquet-footer.ts";
import { escapeGlob, quoteLiteral } from "../../sql.ts";
import { originOf } from "../columns.ts";
import type { HostFile } from "../open-bytes.ts";
import { parseType, type TypeTree } from "../type-tree.ts";
import { durationsOf } from "./durations.ts";
import { nanosecondTimes } from "./nanosecond-times.ts";
import { parquetRelation } from "./relation.ts";
import { topLevel, type CopyOptions } from "./timestamp-copy.ts";

/** A column of one Parquet file. */
export interface ParquetColumn {
  /** The name in DuckDB. */
  readonly name: string;
  /** The name in the file, which may be empty or repeated; DuckDB then generates another one. */
  readonly written: string;
  readonly type: TypeTree;
  /** Whether its type is meaningless, because every value is null. */
  readonly isNull: boolean;
  /** Whether it has times whose nanoseconds DuckDB would truncate, so that its type has VARCHAR for them. */
  readonly hasNanoseconds: boolean;
  /** The units of its integers if they are durations; otherwise `null`. */
  readonly durations: string | null;
}

/** Whether a name looks like one that DuckDB generates: `C1` for an empty name, `id_1` for a second `id`. */
function mayBeGenerated(names: readonly string[]): boolean {
  const folded = new Set(names.map((name) => name.toLowerCase()));
  return names.some((name) => {
    const base = name.replace(/_\d+$/, "").toLowerCase();
    return /^C\d+$/.test(name) || (base !== name.toLowerCase() && folded.has(base));
  });
}

async function writtenNames({ files, path }: HostFile): Promise<readonly string[]> {
  return withParquet(files, path, async ({ schema }) => topLevel(schema).map(({ name }) => name));
}

/**
 * Returns the columns of a Parquet file as DuckDB reads it; none for an empty file.
 *
 * @throws `file_unreadable` if it is damaged, truncated, encrypted or not a Parquet file; `disk_full`
 */
export async function parquetColumns(
  connection: Connection,
  file: HostFile,
  { signal, directory }: CopyOptions = {},
): Promise<readonly ParquetColumn[]> {
  const options = signal === undefined ? {} : { signal };
  try {
    if ((await file.files.stat(file.path))?.sizeBytes === 0) return [];
    const rows = await connection.rows<{ column_name: string; column_type: string }>(
      `DESCRIBE SELECT * FROM ${parquetRelation(file.path)}`,
      options,
    );
    const special = await connection.rows<{ name: string; is_null: boolean }>(
      `SELECT name, logical_type = 'NullType()' AS is_null FROM parquet_schema([${quoteLiteral(escapeGlob(file.path))}])
       WHERE logical_type = 'NullType()' OR (logical_type LIKE 'TimeType(%' AND logical_type LIKE '%NANOS=NanoSeconds()%')`,
      options,
    );
    const isNull = new Set(special.filter((one) => one.is_null).map(({ name }) => name));
    const durations = await durationsOf(connection, file.path, options);
    const types = new Map(rows.map((row) => [row.column_name, row.column_type]));
    // DESCRIBE returns the columns after the 2,048th in any order.
    const { names, batches } = await connection.stream(
      `SELECT * FROM ${parquetRelation(file.path)} LIMIT 0`,
      options,
    );
    for await (const _ of batches);
    const written = mayBeGenerated(names) ? await writtenNames(file) : names;
    const columns = names.map((name, at) => {
      const type = types.get(name)!;
      return {
        name,
        written: written[at]!,
        type: parseType(type),
        isNull: type === "INTEGER" && isNull.has(name),
        hasNanoseconds: false,
        durations: durations.get(name) ?? null,
      };
    });
    if (special.every((one) => one.is_null)) return columns;
    const times = await nanosecondTimes(connection, file, columns, { signal, directory });
    return columns.map((column, place) => {
      const type = times.get(place);
      return type === undefined ? column : { ...column, type, hasNanoseconds: true };
    });
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error) || isAgnesError(error, "disk_full")) throw error;
    const { reason = error.message } = error.details as { readonly reason?: string };
    throw new AgnesError("file_unreadable", { path: originOf(file), reason }, { cause: error });
  }
}
