import { AgnesError, shown } from "../../base/mod.ts";
import { quoteIdentifier, type Connection } from "../../duckdb/mod.ts";
import { readParquet } from "../schema/select.ts";
import type { TableJob } from "../job/job.ts";

/** The keys that more than one row of some parts has. */
interface RepeatedKeys {
  readonly keys: number;
  /** Rows beyond the first of each key. */
  readonly rows: number;
  /** One of the keys, as text. */
  readonly example: string;
}

/** Looks for keys that more than one row has; rows without a value in their key are no duplicates of each other. */
export async function repeatedKeys(
  { plan, signal }: TableJob,
  connection: Connection,
  paths: readonly string[],
): Promise<RepeatedKeys | null> {
  if (plan.primaryKey.length === 0 || paths.length === 0) return null;
  if (await isEachNumberOnce(connection, plan.primaryKey, paths, signal)) return null;
  const key = plan.primaryKey.map(quoteIdentifier);
  const [found] = await connection.rows<{ keys: bigint; rows: bigint; example: string | null }>(
    // No column may be taken for one of the names given here.
    `SELECT count(*) AS keys, CAST(coalesce(sum(agnes_count - 1), 0) AS BIGINT) AS rows, any_value(agnes_key) AS example
     FROM (SELECT count(*) AS agnes_count,
                  concat_ws(', ', ${key.map((one) => `CAST(${one} AS VARCHAR)`).join(", ")}) AS agnes_key
           FROM ${readParquet(paths)} WHERE ${key.map((one) => `${one} IS NOT NULL`).join(" AND ")}
           GROUP BY ${key.join(", ")} HAVING count(*) > 1)`,
    { signal },
  );
  const { keys = 0n, rows = 0n, example } = found ?? {};
  return keys === 0n ? null : { keys: Number(keys), rows: Number(rows), example: shown(example ?? "") };
}

/** What a bit for each number may take for each thread of DuckDB: 16 MB. */
const NUMBERS_MAX = 2 ** 27;
/** How much of the numbers in their range may be missing before grouping is as quick. */
const NUMBERS_OF_ROW_MAX = 64;

/**
 * Whether a key of one column holds whole numbers that lie close together, and none twice. A bit for each number finds
 * that in a sixth of the time that grouping takes.
 */
async function isEachNumberOnce(
  connection: Connection,
  [column, ...others]: readonly string[],
  paths: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  if (column === undefined || others.length > 0) return false;
  const key = quoteIdentifier(column);
  const [range] = await connection.rows<{
    type: string;
    least: string | null;
    most: string | null;
    n: bigint;
  }>(
    `SELECT typeof(min(${key})) AS type, CAST(min(${key}) AS VARCHAR) AS least, CAST(max(${key}) AS VARCHAR) AS most,
       count(${key}) AS n FROM ${readParquet(paths)}`,
    { signal },
  );
  if (range?.least == null || range.most === null || !/^U?(TINY|SMALL|BIG)?INT(EGER)?$/.test(range.type))
    return false;
  const { least, most, n } = range;
  const numbers = BigInt(most) - BigInt(least) + 1n;
  if (numbers > NUMBERS_MAX || numbers > n * BigInt(NUMBERS_OF_ROW_MAX)) return false;
  const [found] = await connection.rows<{ bits: bigint }>(
    `SELECT bit_count(bitstring_agg(${key}, ${least}, ${most})) AS bits FROM ${readParquet(paths)}`,
    { signal },
  );
  return found?.bits === n;
}

/**
 * Checks that a read of the whole table gave each key once, where nothing would put rows of one key together.
 * @throws `primary_key_repeated`
 */
export async function refuseRepeatedKeys(
  job: TableJob,
  connection: Connection,
  paths: readonly string[],
): Promise<void> {
  const repeated = await repeatedKeys(job, connection, paths);
  if (repeated === null) return;
  const { id, name: table, primaryKey: columns } = job.plan;
  throw new AgnesError("primary_key_repeated", { id, table, columns, ...repeated });
}
