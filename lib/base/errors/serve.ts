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
  server_failed: errorSpec<{ requestId: string }>({
    message: () => "the request failed inside the server",
    hint: (d) => `The server's log has the cause under the id of the request, ${d.requestId}.`,
  }),
  server_address_invalid: errorSpec<{ server: string; reason: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the server ${formatValue(d.server)} cannot be used: ${d.reason}`,
    hint: () => "Set --server or AGNES_SERVER to an address such as https://agnes.example.com.",
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
