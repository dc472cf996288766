import * as v from "valibot";

const most = (least: number, description: string) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.description(description));
/** The scheme, host and port of a URL, without a path. */
const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;

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
  publicUrl: v.optional(
    v.pipe(
      v.nullable(
        v.pipe(
          v.string(),
          v.check(isOrigin, "it is not the origin of a URL, such as https://agnes.example.com"),
        ),
      ),
      v.description(
        "The URL of the server for its clients, such as `https://agnes.example.com`, without a path; requests must have its Host or that of the address it listens on",
      ),
    ),
    null,
  ),
  corsOrigins: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string(),
          v.check(isOrigin, "it is not the origin of a page, such as https://app.example.com"),
        ),
      ),
      v.description("Origins of other sites whose pages may use the API with a token"),
    ),
    [],
  ),
  trustProxy: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "Whether a reverse proxy appends the address of the client to `X-Forwarded-For`; the last entry is then used",
      ),
    ),
    false,
  ),
  maxScanBytes: v.optional(
    most(1024, "Maximum size of the Arrow stream of `POST /api/v2/scan`, in bytes"),
    2_147_483_648,
  ),
  maxWebhookBytes: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.minValue(1024),
      v.description("Maximum size of a pushed request, in bytes"),
    ),
    5_242_880,
  ),
  publicMetrics: v.optional(
    v.pipe(v.boolean(), v.description("Whether `/metrics` needs no token; default: administrators only")),
    false,
  ),
});

/** `server:` of `agnes.yaml`, checked, with its defaults. */
export type ServerConfig = v.InferOutput<typeof serverConfig>;
