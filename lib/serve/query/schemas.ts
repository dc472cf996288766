import * as v from "valibot";

import { errorBody, recordOf } from "../http/schemas.ts";
import { FORMATS } from "./formats.ts";

/** An optional limit. */
export const positive = (description: string) =>
  v.optional(
    v.pipe(
      v.number(),
      v.integer("it must be a whole number"),
      v.minValue(1, "it must be at least 1"),
      v.description(description),
    ),
  );

/** A text that is not empty. */
export const text = (description: string) =>
  v.pipe(v.string(), v.minLength(1, "it must not be empty"), v.description(description));

const registered = v.strictObject({
  source: text("The source that runs the SQL"),
  sql: text("One SELECT in the dialect of the source"),
  keys: v.optional(text("One SELECT of one column, whose values are the parameter `keys` of `sql`")),
  limits: v.optional(
    v.strictObject({
      max_rows: positive("Maximum number of rows; default and maximum: 500,000"),
      max_bytes: positive("Maximum size of the rows in bytes; default and maximum: 1 GiB"),
      max_scanned_bytes: positive(
        "Maximum number of bytes that the source reads; default: that of the source",
      ),
      timeout_ms: positive("Timeout in milliseconds; default: that of the whole query"),
    }),
  ),
});

/** One entry of `register`. */
export type RegisteredBody = v.InferOutput<typeof registered>;

const scalar = v.union(
  [v.string(), v.number(), v.boolean(), v.null()],
  "it must be text, a number, true, false or null",
);

const paramValue = v.union(
  [scalar, v.array(scalar)],
  "it must be text, a number, true, false, null, or a list of these",
);

/** The parameters of a query. */
export const queryParams = v.pipe(
  v.union([v.array(paramValue), recordOf(v.string(), paramValue)], "it must be an object or a list"),
  v.description(
    "The values of the parameters of `sql`: an object for `$name`, a list for `?` or for `$1`, `$2`. Each acts as a literal. Integers beyond 2^53 are text",
  ),
);

/** The body of `POST /api/query`. */
export const queryBody = v.strictObject({
  sql: v.pipe(
    text("One SELECT, DESCRIBE, SUMMARIZE, SHOW TABLES or EXPLAIN"),
    v.examples(["SELECT customer, sum(price) AS revenue FROM orders GROUP BY customer"]),
  ),
  params: v.optional(queryParams),
  limit: positive(
    "Maximum number of rows. Default: 1,000 for JSON, otherwise `server.maxRows`. Maximum: `server.maxRows`, and 1,000,000 for JSON",
  ),
  timeout_ms: positive("Timeout in milliseconds. Default and maximum: `server.queryTimeoutMs`"),
  max_bytes: positive(
    "Maximum size in bytes, each row counted as a line of JSON. Default and maximum: `server.maxResultBytes`",
  ),
  register: v.optional(
    v.pipe(recordOf(v.string(), registered), v.description("Queries that run in sources first, by alias")),
  ),
});

/** A checked body of `POST /api/query`. */
export type QueryBody = v.InferOutput<typeof queryBody>;

const flag = (description: string) => v.optional(v.pipe(v.picklist(["0", "1"]), v.description(description)));

/** The query string of `POST /api/query`. */
export const queryOptions = v.strictObject({
  format: v.optional(
    v.pipe(
      v.picklist(FORMATS),
      v.description("The format of the rows; default: by the header Accept, or json"),
    ),
  ),
  numbers: v.optional(
    v.pipe(
      v.picklist(["exact", "json"]),
      v.description(
        "json and ndjson: `exact` writes numbers that a double does not represent exactly as strings; `json` writes all finite numbers as numbers. Default: exact",
      ),
    ),
  ),
  bom: flag("csv: begin with a byte order mark"),
  escape_formulas: flag("csv: put ' before texts that begin with = + - @, a tab or a carriage return"),
  receipt: flag("ndjson: write the receipt as the last line"),
});

/** The receipt of a query in a response. */
const receiptBody = v.pipe(
  v.object({
    generation: v.pipe(
      v.nullable(v.number()),
      v.description("null: no table was read, or the caller may access some tables only"),
    ),
    extracts: v.array(
      v.object({
        source: v.string(),
        generation: v.pipe(
          v.nullable(v.number()),
          v.description("null: another program wrote it, or the caller may access some tables only"),
        ),
        extracted_at: v.nullable(v.string()),
        stale_reason: v.nullable(v.string()),
      }),
    ),
    tables: v.array(v.string()),
    remotes: v.array(v.looseObject({ id: v.string(), access_mode: v.string() })),
    registered: v.array(v.looseObject({ alias: v.string(), source: v.string() })),
    rows: v.number(),
    size_bytes: v.number(),
    truncated: v.boolean(),
    elapsed_ms: v.number(),
  }),
  v.description("Where the rows come from, and their totals"),
);

/** The JSON response of `POST /api/query`. */
export const resultBody = v.object({
  columns: v.array(v.object({ name: v.string(), type: v.string() })),
  rows: v.array(v.pipe(v.array(v.unknown()), v.description("The values in the order of `columns`"))),
  row_count: v.number(),
  truncated: v.pipe(v.boolean(), v.description("Whether a limit cut off rows")),
  query_id: v.string(),
  receipt: receiptBody,
});

const state = v.picklist(["running", "done", "failed", "cancelled"]);

/** The response of `GET /api/queries/:id`. */
export const queryStateBody = v.object({
  query_id: v.string(),
  state,
  started_at: v.string(),
  progress: v.object({
    sent_bytes: v.pipe(v.number(), v.description("The number of bytes that the client took so far")),
  }),
  receipt: v.nullable(receiptBody),
  error: v.nullable(errorBody.entries.error),
});

/** The response of `GET /api/admin/queries`. */
export const queryLogBody = v.object({
  queries: v.array(
    v.object({
      query_id: v.string(),
      principal: v.object({ id: v.string(), name: v.string() }),
      started_at: v.string(),
      sql_hash: v.pipe(v.string(), v.description("SHA-256 of the SQL, hexadecimal")),
      sql: v.pipe(v.nullable(v.string()), v.description("The SQL, if `server.logSql` is set")),
      elapsed_ms: v.number(),
      rows: v.number(),
      sent_bytes: v.number(),
      outcome: state,
      error_code: v.nullable(v.string()),
    }),
  ),
});

/** The query string of `GET /api/admin/queries`. */
export const queryLogOptions = v.strictObject({
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:[1-9]\d{0,2}|1000)$/, "it must be from 1 to 1000"),
      v.description("Maximum number of queries, the latest first, from 1 to 1000. Default: 100"),
    ),
  ),
});
