import { AgnesError } from "agnes/kit";

import { errors } from "./errors.ts";
import type { ErrorBody, ErrorProto } from "./schemas.ts";

/** Reasons that a new attempt may resolve. A job that failed for one of them needs a new id. */
const PASSING = new Set([
  "rateLimitExceeded",
  "jobRateLimitExceeded",
  "backendError",
  "internalError",
  "jobBackendError",
  "jobInternalError",
]);

/** Whether a new attempt may succeed. The limit of requests is also reported as an invalid query. */
export function isPassing({ reason, message }: ErrorProto): boolean {
  return PASSING.has(reason ?? "") || /^Exceeded rate limits/i.test(message);
}

/** What failed, for messages. */
export interface Failed {
  /** `table sales.orders`, `the query`. */
  readonly what: string;
  /** The job, if it is one that failed. */
  readonly job?: string | undefined;
  readonly limitBytes?: number | undefined;
  readonly tables?: readonly string[] | undefined;
}

/** Returns the error of the plugin for one of BigQuery. */
export function failureOf(proto: ErrorProto, failed: Failed): AgnesError {
  const { reason: code = "unknown", message } = proto;
  const reason = message === "" ? code : message.split("\n")[0]!;
  const { what, job, limitBytes, tables = [] } = failed;
  const needsFilter =
    /Cannot query over table '?([^' ]+)'? without a filter over column\(s\) (.+?) that can/.exec(message);
  if (needsFilter !== null)
    return errors.partition_filter_required({ table: needsFilter[1]!, column: needsFilter[2]! });
  if (/Drive credentials/i.test(message)) return errors.drive_scope_missing({ what, reason });
  if (code === "bytesBilledLimitExceeded" || /exceeded limit for bytes billed/i.test(message)) {
    const needed = /(\d+) or higher required/.exec(message)?.[1];
    const scannedBytes = needed === undefined ? null : Number(needed);
    return errors.scan_too_large({ scannedBytes, limitBytes: limitBytes ?? 0, tables });
  }
  if (isPassing(proto)) return errors.unavailable({ what, reason });
  switch (code) {
    case "accessDenied":
    case "forbidden":
    case "billingNotEnabled":
      return errors.access_denied({ what, reason });
    case "quotaExceeded":
      return errors.quota_exceeded({ what, reason });
    case "notFound":
      return errors.not_found({ what, reason });
    case "invalidQuery":
      return errors.query_invalid({ reason });
    default:
      return job === undefined
        ? errors.request_refused({ what, reason })
        : errors.job_failed({ job, reason });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  400: "invalid",
  INVALID_ARGUMENT: "invalid",
  403: "accessDenied",
  PERMISSION_DENIED: "accessDenied",
  404: "notFound",
  NOT_FOUND: "notFound",
  409: "duplicate",
  ALREADY_EXISTS: "duplicate",
};

/** The reason of a body without one, by its code or its status. */
export function reasonOfStatus({ code, status }: Pick<ErrorBody["error"], "code" | "status">): string {
  return REASONS[code ?? ""] ?? REASONS[status ?? ""] ?? "unknown";
}

/** Returns the error of a request that the client of the kit rejected. */
export function clientFailure(error: unknown, what: string, origin: string): unknown {
  if (!(error instanceof AgnesError) || error.code.startsWith("bigquery/")) return error;
  const { reason = error.message, retryAfterMs } = error.details as {
    readonly reason?: string;
    readonly retryAfterMs?: number;
  };
  const cause = { cause: error };
  switch (error.code) {
    case "source_unauthorized":
      return errors.token_rejected({ origin, reason }, cause);
    case "source_refused":
      return errors.request_refused({ what, reason }, cause);
    case "source_unavailable":
      return errors.unavailable(
        { what, reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
        cause,
      );
    default:
      return error;
  }
}
