import * as v from "valibot";

import { entityTypes } from "../../kit/mod.ts";
import { metadataFreshness } from "../../tables/mod.ts";
import { errorBody } from "../http/schemas.ts";

const described = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));
const textOrNull = v.nullable(v.string());
const countOrNull = v.nullable(v.number());

/** The query string of `POST /api/v2/metadata-cache/refresh`. */
export const tableQuery = v.strictObject({
  table: v.pipe(v.string(), v.maxLength(400), v.description("Id `source.table` or view name, in any case")),
});

/** The response of `POST /api/admin/metadata-refresh`. */
export const refreshBody = v.object({
  run_id: v.string(),
  started_at: described(v.string(), "ISO 8601, UTC"),
  total: described(v.number(), "Remote tables whose plugin reports metadata"),
  succeeded: v.number(),
  no_data: described(v.number(), "Tables that their source does not know"),
  failed: described(v.number(), "Their last known metadata is kept; the status has the errors"),
  duration_ms: v.number(),
});

/** The response of a refresh while another one runs. */
export const runningBody = v.object({
  ...errorBody.entries,
  reason: v.literal("already_running"),
  run_id: described(textOrNull, "The refresh that runs; null: not known"),
  started_at: textOrNull,
  hint: v.string(),
});

const figures = {
  rows: countOrNull,
  size_bytes: countOrNull,
  partition_by: described(textOrNull, "The partition columns, separated by commas; null: none, or unknown"),
  clustered_by: described(v.array(v.string()), "Empty: none, or unknown"),
  entity_type: v.nullable(v.picklist(entityTypes)),
  known_columns: described(
    v.array(v.string()),
    "The names of the first columns, at most 10,000 characters; empty: unknown",
  ),
  columns: described(countOrNull, "The number of columns; null: unknown"),
  modified_at: described(textOrNull, "When rows last changed; null: unknown"),
};

/** The response of `POST /api/v2/metadata-cache/refresh`. */
export const tableRefreshBody = v.object({
  table_id: v.string(),
  run_id: v.string(),
  status: described(
    v.picklist(["ok", "no_data", "error"]),
    "no_data: the source does not know the table; error: the last known metadata is kept",
  ),
  error: textOrNull,
  error_code: textOrNull,
  ...figures,
  fetch_ms: described(v.number(), "Duration of the request to the source"),
  total_ms: v.number(),
});

/** The response of `GET /api/v2/metadata-cache/status`. */
export const statusBody = v.object({
  scheduler_interval_seconds: v.number(),
  fresh_threshold_seconds: described(v.number(), "The age up to which metadata is fresh"),
  server_time: described(v.string(), "ISO 8601, UTC"),
  tables: v.array(
    v.object({
      table_id: v.string(),
      name: described(v.string(), "The name of the table in SQL"),
      source: v.string(),
      can_refresh: described(v.boolean(), "Whether the plugin of its source reports metadata"),
      freshness: v.picklist(metadataFreshness),
      refreshed_at: described(textOrNull, "The last successful refresh; null: none"),
      no_data_at: described(textOrNull, "When the source did not know the table; null: it knew it last"),
      error_at: described(textOrNull, "When the last refresh failed; null: it did not"),
      error_code: textOrNull,
      error_msg: textOrNull,
      ...figures,
    }),
  ),
});
