import { counted } from "../counted.ts";
import { errorSpec, formatValue } from "./spec.ts";

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
    message: (d) => `the ${d.part} of the request is invalid: ${d.field}: ${d.reason}`,
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
    hint: () => "Send the header `Authorization: Bearer TOKEN`.",
  }),
  token_invalid: errorSpec<Record<never, never>>({
    status: 401,
    exit: 2,
    message: () => "the token is unknown, expired or revoked",
    hint: () => "Ask an administrator for a new token.",
  }),
  role_missing: errorSpec<{ role: string }>({
    status: 403,
    exit: 2,
    message: (d) => `this needs the role ${formatValue(d.role)}`,
    hint: () => "Use a token with this role.",
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
    message: () => "another query has the id in X-Agnes-Query-Id",
    hint: () => "Send another id, or none.",
  }),
  query_unknown: errorSpec<Record<never, never>>({
    status: 404,
    exit: 2,
    message: () => "there is no such query",
    hint: () => "Queries are kept for ten minutes after their end, for their callers and administrators.",
  }),
  server_failed: errorSpec<{ requestId: string }>({
    message: () => "the request failed inside the server",
    hint: (d) => `The server's log has the cause under the id of the request, ${d.requestId}.`,
  }),
} as const;
