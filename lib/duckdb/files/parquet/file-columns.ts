import { stat } from "node:fs/promises";

import { AgnesError, isAgnesError } from "../../../base/mod.ts";
import type { FileInput } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { escapeGlob, quoteLiteral } from "../../sql.ts";
import { originOf } from "../columns.ts";
import { parseType, type TypeTree } from "../type-tree.ts";
import { durationsOf } from "./durations.ts";

/** A column of one Parquet file. */
export interface ParquetColumn {
  readonly name: string;
  readonly type: TypeTree;
  /** Whether its type says nothing, since every value is null. */
  readonly isNull: boolean;
  /** Which durations its whole numbers are; null when they are none. */
  readonly durations: string | null;
}

/** The SQL that reads a Parquet file, for use after `FROM`; its path means nothing. */
export function parquetRelation(path: string): string {
  return `read_parquet([${quoteLiteral(escapeGlob(path))}], hive_partitioning = false)`;
}

/**
 * The columns of a Parquet file as DuckDB reads it; none for a file without a byte.
 *
 * @throws `file_unreadable` when it is damaged, cut off, encrypted or no Parquet file
 */
export async function parquetColumns(
  connection: Connection,
  file: FileInput,
  signal?: AbortSignal,
): Promise<readonly ParquetColumn[]> {
  if ((await stat(file.path)).size === 0) return [];
  const options = signal === undefined ? {} : { signal };
  try {
    const rows = await connection.rows<{ column_name: string; column_type: string }>(
      `DESCRIBE SELECT * FROM ${parquetRelation(file.path)}`,
      options,
    );
    const nulls = await connection.rows<{ name: string }>(
      `SELECT name FROM parquet_schema([${quoteLiteral(escapeGlob(file.path))}]) WHERE logical_type = 'NullType()'`,
      options,
    );
    const isNull = new Set(nulls.map(({ name }) => name));
    const durations = await durationsOf(connection, file.path, options);
    const types = new Map(rows.map((row) => [row.column_name, row.column_type]));
    // DESCRIBE gives the columns beyond the 2,048th in any order.
    const { names, batches } = await connection.stream(
      `SELECT * FROM ${parquetRelation(file.path)} LIMIT 0`,
      options,
    );
    for await (const _ of batches);
    return names.map((name) => {
      const type = types.get(name)!;
      return {
        name,
        type: parseType(type),
        isNull: type === "INTEGER" && isNull.has(name),
        durations: durations.get(name) ?? null,
      };
    });
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error)) throw error;
    const { reason = error.message } = error.details as { readonly reason?: string };
    throw new AgnesError("file_unreadable", { path: originOf(file), reason }, { cause: error });
  }
}
