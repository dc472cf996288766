import * as v from "valibot";

/** The schema of the options of a `duckdb` source. */
export const duckdbOptions = v.strictObject({
  path: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.description("The DuckDB file. Relative paths start at the workspace"),
  ),
  schemas: v.optional(
    v.pipe(
      v.array(v.string()),
      v.nonEmpty(),
      v.description("The schemas to include. Default: all except DuckDB's own"),
    ),
  ),
  include: v.optional(
    v.pipe(
      v.array(v.string()),
      v.nonEmpty(),
      v.description("The names of the tables and views to include. Default: all"),
    ),
  ),
});

/** The options of a `duckdb` source. */
export type DuckDBOptions = v.InferOutput<typeof duckdbOptions>;
