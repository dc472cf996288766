import { escapeGlob, quoteLiteral } from "../../sql.ts";

/** The SQL, for use after `FROM`, that reads a Parquet file without partition columns. */
export function parquetRelation(path: string): string {
  return `read_parquet([${quoteLiteral(escapeGlob(path))}], hive_partitioning = false)`;
}
