import type { AnalyticsTable } from "../../lib/analytics/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { boundsOf, type Bounds } from "../../lib/profile/bounds.ts";
import { computeFigures } from "../../lib/profile/compute.ts";
import type { TableFigures } from "../../lib/profile/types.ts";

const MEMORY_MB = 1024;

/** Computes the figures of the rows of a SELECT. @param rows what the extract states; null: unknown */
export async function figuresOf(
  select: string,
  rows: number | null = null,
  bounds: Partial<Bounds> = {},
): Promise<TableFigures> {
  await using database = await openDatabase({ limits: { memoryMb: MEMORY_MB, threads: 2 } });
  await using connection = await database.connect();
  await connection.run(`CREATE TABLE profiled AS ${select}`);
  const table = { generation: rows === null ? null : 1, rows } as AnalyticsTable;
  return await computeFigures({ connection, table, from: "profiled" }, { ...boundsOf(MEMORY_MB), ...bounds });
}

/** The figures of one column. */
export async function columnOf(select: string): Promise<TableFigures["columns"][number]> {
  const { columns } = await figuresOf(select);
  return columns[0]!;
}
