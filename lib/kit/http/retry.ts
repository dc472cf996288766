import type { Host } from "../../base/mod.ts";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const TRANSIENT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Statuses that mean the request was not processed, so that even a POST can be repeated. */
const UNTOUCHED_STATUSES = new Set([425, 429, 503]);
const IDEMPOTENT_METHODS = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Whether a status is transient. */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUSES.has(status);
}

/** Whether a request may be repeated after this status, or after a dropped connection (`undefined`). */
export function mayRepeat(method: string, idempotent: boolean | undefined, status?: number): boolean {
  if (status !== undefined && UNTOUCHED_STATUSES.has(status)) return true;
  return idempotent ?? IDEMPOTENT_METHODS.has(method);
}

/** The wait before attempt `attempt` + 1: Retry-After or exponential backoff, with jitter. */
export function backoffMs(
  host: Pick<Host, "random">,
  attempt: number,
  retryAfterMs: number | undefined,
): number {
  const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
  const ownMs = fullMs / 2 + (host.random() * fullMs) / 2;
  // Jitter: clients with the same Retry-After must not all retry at the same time.
  return retryAfterMs === undefined ? ownMs : retryAfterMs + host.random() * BACKOFF_FIRST_MS;
}

/** The wait of a `Retry-After` header, in seconds or as a date; `undefined` if missing or invalid. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = text === "" ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
