import * as v from "valibot";

import { positive, queryParams, text } from "../query/schemas.ts";

const mode = v.picklist(["append", "upsert", "replace"]);

/** The body of `POST /api/admin/push`. */
export const pushBody = v.strictObject({
  table: text(
    "The id or view name of a registered table, or with `source` the name of any table in that source",
  ),
  source: v.optional(text("The source of a table that is not registered. Default: `table` is registered")),
  sql: v.pipe(
    text("One SELECT of exactly the columns of the table"),
    v.examples(["SELECT id, score FROM predictions"]),
  ),
  params: v.optional(queryParams),
  mode: v.pipe(
    mode,
    v.description(
      "append adds the rows; upsert inserts or updates by the primary key; replace empties the table first",
    ),
  ),
  dry_run: v.optional(
    v.pipe(v.boolean(), v.description("Run the query and all checks, and write nothing. Default: false")),
  ),
  timeout_ms: positive(
    "Timeout of the query, until the source has read its last row, in milliseconds. Default and maximum: `server.queryTimeoutMs`",
  ),
});

/** What was written, or in a dry run would be. */
export const pushedBody = v.object({
  source: v.string(),
  table: v.pipe(v.string(), v.description("The name of the table in the source")),
  mode,
  columns: v.pipe(v.array(v.string()), v.description("The columns, in the order of the table")),
  rows: v.pipe(v.number(), v.description("The number of rows")),
  dry_run: v.boolean(),
});
