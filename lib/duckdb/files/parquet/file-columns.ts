import { stat } from "node:fs/promises";

import { AgnesError, isAgnesError } from "../../../base/mod.ts";
import type { FileInput } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { withParquet } from "../../parquet-footer.ts";
import { escapeGlob, quoteLiteral } from "../../sql.ts";
import { originOf } from "../columns.ts";
import { parseType, type TypeTree } from "../type-tree.ts";
import { durationsOf } from "./durations.ts";
import { nanosecondTimes } from "./nanosecond-times.ts";
import { parquetRelation } from "./relation.ts";
import { topLevel, type CopyOptions } from "./timestamp-copy.ts";

/** A column of one Parquet file. */
export interface ParquetColumn {
  /** As DuckDB calls it. */
  readonly name: string;
  /** As the file calls it: names may be empty or repeated, for which DuckDB makes others. */
  readonly written: string;
  readonly type: TypeTree;
  /** Whether its type says nothing, since every value is null. */
  readonly isNull: boolean;
  /** Whether it has times of which DuckDB would cut nanoseconds, for which its type has texts. */
  readonly hasNanoseconds: boolean;
  /** Which durations its whole numbers are; null when they are none. */
  readonly durations: string | null;
}

/** Whether one of the names looks like those that DuckDB makes: `C1` for an empty one, `id_1` for a second `id`. */
function mayBeMade(names: readonly string[]): boolean {
  const folded = new Set(names.map((name) => name.toLowerCase()));
  return names.some((name) => {
    const base = name.replace(/_\d+$/, "").toLowerCase();
    return /^C\d+$/.test(name) || (base !== name.toLowerCase() && folded.has(base));
  });
}

async function writtenNames(path: string): Promise<readonly string[]> {
  return withParquet(path, async ({ schema }) => topLevel(schema).map(({ name }) => name));
}

/**
 * The columns of a Parquet file as DuckDB reads it; none for a file without a byte.
 *
 * @throws `file_unreadable` when it is damaged, cut off, encrypted or no Parquet file
 */
export async function parquetColumns(
  connection: Connection,
  file: FileInput,
  { signal, directory }: CopyOptions = {},
): Promise<readonly ParquetColumn[]> {
  if ((await stat(file.path)).size === 0) return [];
  const options = signal === undefined ? {} : { signal };
  try {
    const rows = await connection.rows<{ column_name: string; column_type: string }>(
      `DESCRIBE SELECT * FROM ${parquetRelation(file.path)}`,
      options,
    );
    const told = await connection.rows<{ name: string; is_null: boolean }>(
      `SELECT name, logical_type = 'NullType()' AS is_null FROM parquet_schema([${quoteLiteral(escapeGlob(file.path))}])
       WHERE logical_type = 'NullType()' OR (logical_type LIKE 'TimeType(%' AND logical_type LIKE '%NANOS=NanoSeconds()%')`,
      options,
    );
    const isNull = new Set(told.filter((one) => one.is_null).map(({ name }) => name));
    const durations = await durationsOf(connection, file.path, options);
    const types = new Map(rows.map((row) => [row.column_name, row.column_type]));
    // DESCRIBE gives the columns beyond the 2,048th in any order.
    const { names, batches } = await connection.stream(
      `SELECT * FROM ${parquetRelation(file.path)} LIMIT 0`,
      options,
    );
    for await (const _ of batches);
    const written = mayBeMade(names) ? await writtenNames(file.path) : names;
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
    if (told.every((one) => one.is_null)) return columns;
    const times = await nanosecondTimes(connection, file, columns, { signal, directory });
    return columns.map((column, place) => {
      const type = times.get(place);
      return type === undefined ? column : { ...column, type, hasNanoseconds: true };
    });
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error)) throw error;
    const { reason = error.message } = error.details as { readonly reason?: string };
    throw new AgnesError("file_unreadable", { path: originOf(file), reason }, { cause: error });
  }
}
