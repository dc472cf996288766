import { quoteIdentifier, type Connection } from "../duckdb/mod.ts";
import type { ProfiledColumn } from "./columns.ts";
import { rowHash } from "./pass.ts";

/**
 * Counts the rows that equal an earlier one. The rows with a hash that occurs several times are compared by their values, so
 * that different rows with equal hashes count as different. Beyond its memory, DuckDB uses its temporary directory.
 */
export async function countDuplicates(
  connection: Connection,
  from: string,
  columns: readonly ProfiledColumn[],
): Promise<number> {
  const names = columns.map(({ name }, at) => `${quoteIdentifier(name)} AS c${at}`).join(", ");
  const hashed = `(SELECT *, ${rowHash(columns)} AS h FROM (SELECT ${names} FROM ${from}))`;
  await connection.run(
    `CREATE TEMP TABLE repeated AS SELECT h, count(*) AS count FROM ${hashed} GROUP BY h HAVING count(*) > 1`,
  );
  const values = columns.map((_, at) => `c${at}`).join(", ");
  const [row] = await connection.rows<{ total: bigint | null; different: bigint }>(
    `SELECT (SELECT sum(count)::BIGINT FROM repeated) AS total,
       (SELECT count(*) FROM (SELECT DISTINCT ${values} FROM ${hashed} SEMI JOIN repeated USING (h))) AS different`,
  );
  await connection.run("DROP TABLE repeated");
  return Number(row!.total ?? 0) - Number(row!.different);
}
