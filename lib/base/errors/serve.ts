import { counted } from "../counted.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** What is wrong with a part of a scan. */
const rejections = {
  parse_error: { message: "is not valid SQL", hint: "Write one condition, such as `price > 10`." },
  multi_statement: { message: "has a semicolon", hint: "Write one condition without `;`." },
  nested_select: { message: "contains a SELECT", hint: "Use `POST /api/query` for subqueries." },
  ddl_or_dml: { message: "is a statement", hint: "Write one condition, such as `price > 10`." },
  cross_table_reference: {
    message: "refers to another table",
    hint: "Name columns of the scanned table only; use `POST /api/query` for joins.",
  },
  unknown_function: {
    message: "calls a function that is unknown or not allowed",
    hint: "Use functions that depend only on their arguments, without a schema.",
  },
  unknown_column: {
    message: "names a column that the table does not have",
    hint: "`GET /api/v2/schema/ID` lists the columns.",
  },
  duplicate_column: { message: "names a column twice", hint: "Name each column once." },
  disallowed_node: {
    message: "uses an expression that is not allowed",
    hint: "Aggregates, windows, lambdas and parameters are not allowed; use `POST /api/query`.",
  },
} as const;

/** Errors of the HTTP server. */
export const serveErrors = {
  route_unknown: errorSpec<Record<never, never>>({
    status: 404,
    exit: 2,
    message: () => "there is no such path",
    hint: () => "`/openapi.json` lists all paths.",
  }),
  method_not_allowed: errorSpec<{ allowed: readonly string[] }>({
    status: 405,
    exit: 2,
    message: () => "the path does not support this method",
    hint: (d) => `Use ${d.allowed.join(" or ")}.`,
  }),
  request_invalid: errorSpec<{ part: string; field: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the request is invalid: ${d.field} in the ${d.part}: ${d.reason}`,
    hint: () => "`/openapi.json` describes the fields of each request.",
  }),
  body_malformed: errorSpec<Record<never, never>>({
    status: 400,
    exit: 2,
    message: () => "the body is not valid JSON",
    hint: () => "Send one JSON object in UTF-8.",
  }),
  body_too_large: errorSpec<{ maxBytes: number }>({
    status: 413,
    exit: 2,
    message: (d) => `the body has more than ${counted(d.maxBytes, "byte")}`,
    hint: () => "Send a smaller body.",
  }),
  content_type_unsupported: errorSpec<{ expected: string }>({
    status: 415,
    exit: 2,
    message: (d) => `the body must have the content type ${d.expected}`,
    hint: (d) => `Send the header \`Content-Type: ${d.expected}\`.`,
  }),
  token_missing: errorSpec<Record<never, never>>({
    status: 401,
    exit: 2,
    message: () => "the request has no token",
    hint: () =>
      "Send the header `Authorization: Bearer TOKEN`. An administrator creates tokens with `agnes token create NAME`.",
  }),
  token_invalid: errorSpec<Record<never, never>>({
    status: 401,
    exit: 2,
    message: () => "the token is unknown, expired or revoked",
    hint: () =>
      "Ask an administrator for a new token: `agnes token list` shows the tokens, `agnes token create NAME` creates one.",
  }),
  role_missing: errorSpec<{ role: string }>({
    status: 403,
    exit: 2,
    message: (d) => `this needs the role ${formatValue(d.role)}`,
    hint: (d) =>
      d.role === "admin"
        ? "Use a token that was created with `agnes token create NAME --role admin`."
        : "Use a token with this role.",
  }),
  session_expired: errorSpec<Record<never, never>>({
    status: 401,
    exit: 2,
    message: () => "the session of the browser has ended",
    hint: () => "Start `agnes serve` again and open its new login link, or send a token.",
  }),
  login_code_invalid: errorSpec<Record<never, never>>({
    status: 401,
    exit: 2,
    message: () => "the code of the login link is unknown, expired or used already",
    hint: () => "A link works once, for ten minutes. Start `agnes serve` again to print a new one.",
  }),
  sign_in_limited: errorSpec<{ retryAfterMs: number }>({
    status: 429,
    retry: "transient",
    message: () => "too many failed sign-ins came from this address",
    hint: (d) =>
      `Try again in ${counted(Math.ceil(d.retryAfterMs / 1000), "second")}. A valid token is accepted at once.`,
  }),
  host_not_allowed: errorSpec<Record<never, never>>({
    status: 403,
    exit: 2,
    message: () => "the Host of the request is not that of this server",
    hint: () =>
      "Use the URL that the server prints when it starts, or set `server.publicUrl` in agnes.yaml to the URL of its clients.",
  }),
  origin_not_allowed: errorSpec<Record<never, never>>({
    status: 403,
    exit: 2,
    message: () => "the header Origin is missing or not allowed",
    hint: () =>
      "A change by cookie needs the Origin of the server. For pages of other sites, add their origin to `server.corsOrigins` " +
      "in agnes.yaml, and send a token.",
  }),
  url_malformed: errorSpec<Record<never, never>>({
    status: 400,
    exit: 2,
    message: () => "the request has no valid URL",
    hint: () => "Send one valid header `Host`.",
  }),
  token_unknown: errorSpec<{ id: string }>({
    status: 404,
    exit: 2,
    message: (d) => `there is no token with the id ${formatValue(d.id)}`,
    hint: () => "`agnes token list` shows the ids of all tokens.",
  }),
  token_refused: errorSpec<{ reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the token was not created: ${d.reason}`,
    hint: () => "Correct it, and create the token again.",
  }),
  server_unprotected: errorSpec<{ address: string }>({
    exit: 2,
    message: (d) =>
      `there is no token, so the server does not listen on ${d.address}, which others can reach`,
    hint: () => "Create a token first: `agnes token create NAME --role admin`.",
  }),
  listen_failed: errorSpec<{ address: string; reason: string }>({
    message: (d) => `the server cannot listen on ${d.address}: ${d.reason}`,
    hint: () => "Choose another address: `agnes serve --host 127.0.0.1 --port 0` takes any free port.",
  }),
  // Queries
  format_not_acceptable: errorSpec<{ types: readonly string[] }>({
    status: 406,
    exit: 2,
    message: () => "the header Accept names no format of results",
    hint: (d) => `Send \`Accept\` with one of ${d.types.join(", ")}.`,
  }),
  result_too_large: errorSpec<{ maxBytes: number }>({
    status: 413,
    message: (d) => `the result has more than ${counted(d.maxBytes, "byte")}`,
    hint: () => "Select fewer rows or columns, or set `max_bytes` to get only the first rows.",
  }),
  query_id_taken: errorSpec<Record<never, never>>({
    status: 409,
    exit: 2,
    message: () => "a query of the same token that runs has the id in X-Agnes-Query-Id",
    hint: () => "Send another id, or none.",
  }),
  query_id_ambiguous: errorSpec<{ principals: readonly string[] }>({
    status: 409,
    exit: 2,
    message: (d) => `the queries of ${counted(d.principals.length, "token")} have this id`,
    hint: (d) => `Add the parameter \`principal\`: ${d.principals.join(" or ")}.`,
  }),
  query_unknown: errorSpec<Record<never, never>>({
    status: 404,
    exit: 2,
    message: () => "there is no such query",
    hint: () => "Queries are kept for ten minutes after their end, for their callers and administrators.",
  }),
  validator_rejected: errorSpec<{
    part: "select" | "where" | "order_by";
    kind:
      | "parse_error"
      | "multi_statement"
      | "nested_select"
      | "ddl_or_dml"
      | "cross_table_reference"
      | "unknown_function"
      | "unknown_column"
      | "duplicate_column"
      | "disallowed_node";
    /** The place in `where`, in characters from 0. */
    position?: number;
  }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `${d.part} ${rejections[d.kind].message}${d.position === undefined ? "" : ` at character ${d.position + 1}`}`,
    hint: (d) => rejections[d.kind].hint,
  }),
  etag_unknown: errorSpec<{ current: string }>({
    status: 412,
    exit: 2,
    message: (d) => `no tag in If-Match is the current ETag ${d.current} or an earlier one`,
    hint: () => "Send the ETag of a response as it was. Weak tags, which begin with W/, never match.",
  }),
  source_table_missing: errorSpec<{ source: string }>({
    status: 404,
    exit: 2,
    message: (d) => `the source ${formatValue(d.source)} has no such table`,
    hint: () => "`GET /api/admin/discover-tables` lists the tables of a source.",
  }),
  scan_too_large: errorSpec<{ max: number; unit: "byte" | "row" }>({
    status: 413,
    exit: 2,
    message: (d) => `the result has more than ${counted(d.max, d.unit)}`,
    hint: () => "Select fewer columns, add a condition, or set `limit`.",
  }),
  // Distribution
  table_server_only: errorSpec<{ table: string }>({
    status: 403,
    exit: 2,
    message: (d) => `the table ${formatValue(d.table)} can only be queried on the server`,
    hint: () => "Query it with `POST /api/query`. Its setting `server_only` forbids copies.",
  }),
  table_remote: errorSpec<{ table: string }>({
    status: 409,
    exit: 2,
    message: (d) => `the rows of table ${formatValue(d.table)} are in its source, so there are no parts`,
    hint: () => "Query it with `POST /api/query`.",
  }),
  table_foreign: errorSpec<{ table: string }>({
    status: 409,
    exit: 2,
    message: (d) =>
      `another program wrote the extract of table ${formatValue(d.table)}, so its parts are not known`,
    hint: () => "Query it with `POST /api/query`.",
  }),
  table_not_published: errorSpec<{ table: string }>({
    status: 409,
    retry: "transient",
    message: (d) => `the table ${formatValue(d.table)} is not published yet`,
    hint: () => "Try again after the next sync of its source.",
  }),
  part_missing: errorSpec<{ table: string; parts: number }>({
    status: 400,
    exit: 2,
    message: (d) =>
      `the request must name a part, because the table ${formatValue(d.table)} has ${counted(d.parts, "part")}`,
    hint: () => "Add `?part=PATH`; `GET /api/sync/manifest` lists the paths.",
  }),
  part_gone: errorSpec<{ table: string }>({
    status: 410,
    message: (d) => `the table ${formatValue(d.table)} has no such part any more`,
    hint: () =>
      "Get a new manifest: `GET /api/sync/manifest`. Parts that it still lists need not be downloaded again.",
  }),
  part_unreadable: errorSpec<{ table: string; reason: string }>({
    status: 503,
    retry: "transient",
    message: (d) => `a part of table ${formatValue(d.table)} cannot be read: ${d.reason}`,
    hint: () => "Try again later. If it persists, an administrator must sync the table again, with `--full`.",
  }),
  range_not_satisfiable: errorSpec<{ sizeBytes: number }>({
    status: 416,
    exit: 2,
    message: (d) => `the range starts after the end of the part, which has ${counted(d.sizeBytes, "byte")}`,
    hint: () => "The header Content-Range of this response has the size. Request a range below it.",
  }),
  subscription_unknown: errorSpec<{ field: "tables" | "groups" | "datasets" | "folders"; count: number }>({
    status: 400,
    exit: 2,
    message: (d) => `${counted(d.count, "name")} in ${d.field} cannot be subscribed to`,
    hint: () =>
      "`GET /api/sync/manifest` and `GET /api/v2/catalog` list the tables that the token may access. Nothing was changed.",
  }),
  server_failed: errorSpec<{ requestId: string }>({
    message: () => "the request failed inside the server",
    hint: (d) => `The server's log has the cause under the id of the request, ${d.requestId}.`,
  }),
  server_address_invalid: errorSpec<{ server: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the server ${formatValue(d.server)} cannot be used: ${d.reason}`,
    hint: () => "Use an address such as https://agnes.example.com.",
  }),
  server_unreachable: errorSpec<{ server: string; reason: string }>({
    status: 502,
    retry: "transient",
    message: (d) => `the connection to the server ${formatValue(d.server)} failed: ${d.reason}`,
    hint: () => "Check the address, and that the server runs.",
  }),
  server_response_invalid: errorSpec<{ server: string; httpStatus: number; reason: string }>({
    status: 502,
    message: (d) =>
      `the response of the server ${formatValue(d.server)} with status ${d.httpStatus} ${d.reason}`,
    hint: () => "Check that the address is that of Agnes, and not of a proxy or another service.",
  }),
  webhook_unknown: errorSpec<Record<never, never>>({
    status: 404,
    exit: 2,
    message: () => "no source receives requests at this path",
    hint: () => "The path is `/webhooks/SOURCE`, for a source whose plugin has the capability stream.",
  }),
  webhook_rejected: errorSpec<{ source: string }>({
    status: 401,
    exit: 2,
    message: (d) => `source ${formatValue(d.source)} rejected the request: its signature is missing or wrong`,
    hint: () => "Sign the exact bytes of the body with the secret of the source.",
  }),
  webhook_malformed: errorSpec<{ source: string }>({
    status: 400,
    exit: 2,
    message: (d) => `source ${formatValue(d.source)} cannot read the request`,
    hint: () =>
      "Send the body that the documentation of the source describes. The log of the server has the cause.",
  }),
  webhook_unavailable: errorSpec<{ source: string }>({
    status: 503,
    retry: "transient",
    message: (d) => `source ${formatValue(d.source)} cannot check requests now`,
    hint: () => "Send the request again later. The log of the server has the cause.",
  }),
  webhook_not_stored: errorSpec<{ source: string }>({
    status: 507,
    retry: "transient",
    message: (d) => `the events for source ${formatValue(d.source)} could not be stored`,
    hint: () => "Send the request again later. The log of the server has the cause.",
  }),
} as const;
