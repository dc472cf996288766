import * as v from "valibot";

const most = (least: number, description: string) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.description(description));

/** `server:` of `agnes.yaml`. */
export const serverConfig = v.strictObject({
  maxBodyBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1024),
      v.description("Maximum size of a request body, in bytes"),
    ),
    1_048_576,
  ),
  maxRows: v.optional(
    most(1, "Maximum number of rows of a query; at most 1,000,000 in a JSON response"),
    10_000_000,
  ),
  maxResultBytes: v.optional(most(1, "Maximum size of the result of a query, in bytes"), 1_073_741_824),
  queryTimeoutMs: v.optional(
    most(1, "Maximum duration of a query until its last row is read, in milliseconds"),
    60_000,
  ),
  stalledMs: v.optional(
    most(1, "Time after which a query ends if the client takes none of its rows, in milliseconds"),
    30_000,
  ),
  logSql: v.optional(
    v.pipe(v.boolean(), v.description("Whether the log of queries has the SQL besides its hash")),
    false,
  ),
});

/** `server:` of `agnes.yaml`, checked, with its defaults. */
export type ServerConfig = v.InferOutput<typeof serverConfig>;
