import * as v from "valibot";

/** What `agnes.yaml` may say of a `duckdb` source. */
export const duckdbOptions = v.strictObject({
  path: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.description("The DuckDB file; relative paths start at the workspace"),
  ),
  schemas: v.optional(
    v.pipe(
      v.array(v.string()),
      v.nonEmpty(),
      v.description("The schemas whose tables are offered. Default: all but DuckDB's own"),
    ),
  ),
  include: v.optional(
    v.pipe(
      v.array(v.string()),
      v.nonEmpty(),
      v.description("The tables and views that are offered, by name. Default: all"),
    ),
  ),
});

/** The options of a `duckdb` source. */
export type DuckDBOptions = v.InferOutput<typeof duckdbOptions>;
