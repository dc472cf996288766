import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { TablePlan } from "../plan.ts";
import type { PublishedColumn } from "../schema/column.ts";
import type { Tombstone } from "../state/extract-state.ts";
import type { Delta } from "./delta.ts";

/** Takes rows out of a delta that were deleted after the version that they are. */
export async function dropTombstoned(
  connection: Connection,
  delta: Delta,
  tombstones: readonly Tombstone[],
  columns: readonly PublishedColumn[],
  plan: Pick<TablePlan, "primaryKey" | "cursor">,
): Promise<void> {
  const cursor = columns.find((column) => column.name === plan.cursor);
  if (tombstones.length === 0 || cursor === undefined) return;
  const values = tombstones
    .map(({ key, version }) => `(${quoteLiteral(key)}, ${version === null ? "NULL" : quoteLiteral(version)})`)
    .join(", ");
  const name = quoteIdentifier(cursor.name);
  await connection.run(
    `DELETE FROM ${delta.rows} d USING (VALUES ${values}) AS gone(key, version)
     WHERE gone.key = ${keyText(plan.primaryKey, "d")}
       AND (gone.version IS NULL OR d.${name} IS NULL OR d.${name} <= CAST(gone.version AS ${cursor.type}))`,
  );
}

/** A key as one text, the same for the same values: what tombstones hold. */
export function keyText(key: readonly string[], alias: string): string {
  const texts = key.map((column) => `CAST(${alias}.${quoteIdentifier(column)} AS VARCHAR)`);
  return `CAST(to_json([${texts.join(", ")}]) AS VARCHAR)`;
}
