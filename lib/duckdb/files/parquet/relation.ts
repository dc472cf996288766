import { escapeGlob, quoteLiteral } from "../../sql.ts";

/** The SQL, for use after `FROM`, that reads Parquet files with the same columns, without partition columns. */
export function parquetRelation(...paths: readonly string[]): string {
  return `read_parquet(${parquetPaths(paths)}, hive_partitioning = false)`;
}

/** The SQL of a list of paths, for DuckDB's functions that read Parquet. */
export function parquetPaths(paths: readonly string[]): string {
  return `[${paths.map((path) => quoteLiteral(escapeGlob(path))).join(", ")}]`;
}
