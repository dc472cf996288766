import { escapeGlob, quoteLiteral } from "../../sql.ts";

/** The SQL that reads a Parquet file, for use after `FROM`; its path means nothing. */
export function parquetRelation(path: string): string {
  return `read_parquet([${quoteLiteral(escapeGlob(path))}], hive_partitioning = false)`;
}
