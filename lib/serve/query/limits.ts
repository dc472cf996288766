import { AgnesError } from "../../base/mod.ts";
import type { ResultFormat } from "../../duckdb/mod.ts";
import type { QueryLimits } from "../../kit/mod.ts";
import type { RegisteredQuery } from "../../query/mod.ts";
import type { ServerConfig } from "../../workspace/mod.ts";
import type { QueryBody, RegisteredBody } from "./schemas.ts";

const JSON_ROWS = 1_000;
const JSON_ROWS_MAX = 1_000_000;
const REGISTERED_ROWS_MAX = 500_000;
const REGISTERED_BYTES_MAX = 1 << 30;

/** Returns the limits of a query. @throws `request_invalid` for a limit above that of the server */
export function limitsOf(body: QueryBody, format: ResultFormat, config: ServerConfig): QueryLimits {
  const isJson = format === "json";
  const rowsMax = isJson ? Math.min(JSON_ROWS_MAX, config.maxRows) : config.maxRows;
  const rows = isJson ? Math.min(JSON_ROWS, rowsMax) : rowsMax;
  const maxBytes = atMost("max_bytes", body.max_bytes, config.maxResultBytes);
  return {
    maxRows: atMost("limit", body.limit, rowsMax) ?? rows,
    timeoutMs: atMost("timeout_ms", body.timeout_ms, config.queryTimeoutMs) ?? config.queryTimeoutMs,
    // Measuring every row is slow, so other formats are measured as a whole; see `result_too_large`.
    ...((isJson || maxBytes !== undefined) && { maxBytes: maxBytes ?? config.maxResultBytes }),
  };
}

/** Returns the queries of `register`. @throws `request_invalid` for a limit above that of the server */
export function registeredOf(
  register: QueryBody["register"],
  config: ServerConfig,
): Readonly<Record<string, RegisteredQuery>> | undefined {
  const entries = Object.entries(register ?? {});
  if (entries.length === 0) return undefined;
  return Object.fromEntries(
    entries.map(([alias, { source, sql, keys, limits }]) => [
      alias,
      { source, sql, ...(keys !== undefined && { keys }), limits: registerLimits(limits ?? {}, config) },
    ]),
  );
}

function registerLimits(limits: NonNullable<RegisteredBody["limits"]>, config: ServerConfig) {
  const field = (name: string) => `register limits.${name}`;
  const maxRows = atMost(field("max_rows"), limits.max_rows, REGISTERED_ROWS_MAX);
  const maxBytes = atMost(field("max_bytes"), limits.max_bytes, REGISTERED_BYTES_MAX);
  const timeoutMs = atMost(field("timeout_ms"), limits.timeout_ms, config.queryTimeoutMs);
  const maxScannedBytes = limits.max_scanned_bytes;
  return {
    ...(maxRows !== undefined && { maxRows }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(maxScannedBytes !== undefined && { maxScannedBytes }),
  };
}

/** Returns a limit of a request. @throws `request_invalid` if it is above that of the server */
export function atMost(field: string, value: number | undefined, max: number): number | undefined {
  if (value === undefined || value <= max) return value;
  throw new AgnesError("request_invalid", { part: "body", field, reason: `it must be at most ${max}` });
}
