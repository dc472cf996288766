import * as v from "valibot";

import { tableStatuses } from "../../sync/mod.ts";
import { metadataFreshness } from "../../tables/mod.ts";

const described = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));
const text = v.string();
const textOrNull = v.nullable(v.string());
const countOrNull = v.nullable(v.number());

/** The query string of `GET /api/v2/sample/:id`. */
export const sampleQuery = v.strictObject({
  n: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:[1-9][0-9]?|100)$/, "it must be a number from 1 to 100"),
      v.description("Number of rows, from 1 to 100; default: 5"),
    ),
  ),
});

/** The response of `GET /api/v2/catalog`. */
export const catalogBody = v.object({
  tables: v.array(
    v.object({
      id: described(text, "`source.table`; never changes"),
      name: described(text, "The name of the table in SQL"),
      description: text,
      source: text,
      source_type: described(textOrNull, "The plugin of its source; null: the source is not configured"),
      query_mode: described(text, "local, remote or materialized"),
      access_mode: described(text, "file, attached or remote"),
      sql_flavor: described(text, "The SQL dialect of `where` and of queries"),
      rough_size_hint: described(
        textOrNull,
        "small: up to 100 MiB, medium: up to 1 GiB, large: up to 10 GiB, very_large; null: unknown",
      ),
      rows: countOrNull,
      size_bytes: countOrNull,
      columns: described(countOrNull, "The number of columns; null: unknown"),
      partition_by: textOrNull,
      extracted_at: described(textOrNull, "When its rows were last written, UTC; null: unknown"),
      checked_at: described(textOrNull, "Start of its last successful sync, UTC; up to a minute late"),
      attempted_at: described(textOrNull, "Start of its last sync, UTC; up to a minute late"),
      sync_status: described(
        v.nullable(v.picklist(tableStatuses)),
        "The state of its syncs, up to a minute late; null: it is not synced, or unknown",
      ),
      stale_reason: described(textOrNull, "Why it is in an earlier state; null: it is current"),
      freshness: described(
        v.nullable(v.picklist(metadataFreshness)),
        "How current the figures of a remote table are; null: not a registered remote table",
      ),
      metadata_refreshed_at: described(
        textOrNull,
        "The last successful refresh of the figures of a remote table, UTC; null: none",
      ),
      subscribed: described(v.boolean(), "Whether the manifest of the caller has it"),
    }),
  ),
  server_time: described(text, "ISO 8601, UTC"),
});

/** The response of `GET /api/v2/schema/:id`. */
export const schemaBody = v.object({
  table_id: text,
  name: text,
  description: text,
  source: text,
  source_type: textOrNull,
  sql_flavor: text,
  query_mode: text,
  access_mode: text,
  rows: countOrNull,
  size_bytes: countOrNull,
  extracted_at: textOrNull,
  stale_reason: textOrNull,
  columns: v.array(
    v.object({
      name: text,
      type: described(text, "The DuckDB type"),
      nullable: v.boolean(),
      description: text,
    }),
  ),
  primary_key: v.array(text),
  partition_by: textOrNull,
  foreign_keys: v.array(v.object({ column: text, references: text, description: v.optional(v.string()) })),
  documentation: v.record(v.string(), v.unknown()),
  source_metadata: v.record(v.string(), v.unknown()),
  read_as: described(textOrNull, "The format of its files; null: not files"),
});

/** The response of `GET /api/v2/sample/:id`. */
export const sampleBody = v.object({
  table_id: text,
  source: text,
  rows: described(v.array(v.record(v.string(), v.unknown())), "The rows; values as in JSON results"),
});

const names = v.pipe(v.array(v.pipe(v.string(), v.maxLength(300))), v.maxLength(2000));

/** The body of `POST /api/v2/scan`. */
export const scanRequest = v.pipe(
  v.strictObject({
    table_id: v.pipe(
      v.string(),
      v.maxLength(400),
      v.description("Id `source.table` or view name, in any case"),
    ),
    select: v.optional(v.pipe(names, v.description("The columns, each once; default: all"))),
    where: v.optional(
      v.pipe(
        v.string(),
        v.maxLength(10_000),
        v.description(
          "A condition on the columns in DuckDB's SQL, without subqueries, aggregates and windows",
        ),
      ),
    ),
    order_by: v.optional(v.pipe(names, v.description("Columns, each optionally with ` ASC` or ` DESC`"))),
    limit: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(1),
        v.maxValue(Number.MAX_SAFE_INTEGER),
        v.description("Maximum number of rows; default: all"),
      ),
    ),
  }),
  v.examples([
    { table_id: "orders", select: ["id", "price"], where: "price > 4", order_by: ["price DESC"], limit: 100 },
  ]),
);

/** The response of `POST /api/v2/scan/estimate`. */
export const estimateBody = v.object({
  table_id: text,
  engine: described(text, "What runs the scan"),
  estimated_scan_bytes: described(
    countOrNull,
    "Bytes of the selected columns, of a remote table as of its metadata; null: unknown",
  ),
  estimated_result_rows: described(
    countOrNull,
    "Upper bound: all rows or the limit, because `where` is not evaluated; null: unknown",
  ),
  estimated_result_bytes: described(countOrNull, "Bytes of those rows as stored; null: unknown"),
  bq_cost_estimate_usd: described(v.nullable(v.number()), "null: the scan runs in DuckDB"),
});
