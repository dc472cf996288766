import type { Host } from "../../base/mod.ts";

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const TRANSIENT_STATUSES = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Answers by which a source says that it did nothing, so that even a POST may be repeated. */
const UNTOUCHED_STATUSES = new Set([425, 429, 503]);
const IDEMPOTENT_METHODS = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Whether a status may be another one later. */
export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUSES.has(status);
}

/** Whether a request may be sent again after this status, or after a lost connection (`undefined`). */
export function mayRepeat(method: string, idempotent: boolean | undefined, status?: number): boolean {
  if (status !== undefined && UNTOUCHED_STATUSES.has(status)) return true;
  return idempotent ?? IDEMPOTENT_METHODS.has(method);
}

/** How long to wait before try `attempt` + 1: as the source asked, or longer each time; never quite the same. */
export function backoffMs(
  host: Pick<Host, "random">,
  attempt: number,
  retryAfterMs: number | undefined,
): number {
  const fullMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
  const ownMs = fullMs / 2 + (host.random() * fullMs) / 2;
  // Readers that were told the same moment must not all come back in it.
  return retryAfterMs === undefined ? ownMs : retryAfterMs + host.random() * BACKOFF_FIRST_MS;
}

/** The wait that a `Retry-After` header asks for, in seconds or as a date; `undefined` without one that can be read. */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  const at = text === "" ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
