import { join } from "node:path";

import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { PublishedColumn, Part, SchemaVersion } from "../format/extract-state.ts";
import { readParquet, selectList } from "../schema/select.ts";
import type { ExtractRun } from "../job/job.ts";

/**
 * Returns the parts that may contain one of the keys in `keys`, by their bounds of the first key column. Parts without
 * bounds are always included.
 */
export async function candidateParts(
  connection: Connection,
  parts: readonly Part[],
  keys: string,
  first: PublishedColumn,
  signal: AbortSignal,
): Promise<readonly Part[]> {
  const bounded = parts.flatMap((part, at) =>
    part.keyMin === null || part.keyMax === null
      ? []
      : [`(${at}, ${quoteLiteral(part.keyMin)}, ${quoteLiteral(part.keyMax)})`],
  );
  if (bounded.length === 0) return parts;
  const column = quoteIdentifier(first.name);
  const cast = (text: string) => `CAST(${text} AS ${first.type})`;
  const outside = await connection.rows<{ place: number }>(
    `WITH wanted AS (SELECT min(${column}) AS low, max(${column}) AS high FROM ${keys})
     SELECT place FROM (VALUES ${bounded.join(", ")}) AS bounds(place, low, high), wanted
     WHERE wanted.low IS NULL OR ${cast("bounds.high")} < wanted.low OR ${cast("bounds.low")} > wanted.high`,
    { signal },
  );
  const excluded = new Set(outside.map((row) => row.place));
  return parts.filter((_, at) => !excluded.has(at));
}

/**
 * Returns a relation over parts of any layout, with the published columns and `agnes_part`, the index of the row's part
 * in `parts`.
 */
export function partsRelation(
  run: Pick<ExtractRun, "directory">,
  parts: readonly Part[],
  columns: readonly PublishedColumn[],
  schemas: readonly SchemaVersion[],
): string {
  const selects = parts.map((part, at) => {
    const layout = schemas.find((schema) => schema.version === part.schemaVersion)?.columns ?? columns;
    const path = join(run.directory, part.path);
    return `SELECT ${selectList(columns, layout)}, ${at} AS agnes_part FROM ${readParquet([path])}`;
  });
  if (selects.length > 0) return `(${selects.join(" UNION ALL ")})`;
  return `(SELECT ${selectList(columns, [])}, 0 AS agnes_part WHERE false)`;
}
