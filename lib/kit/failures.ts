import { AgnesError } from "../base/mod.ts";

/**
 * An error for a failure that may be over when the same is tried again: a busy source, a job that was thrown out.
 *
 * @param message one sentence, never with a secret in it
 * @example
 * ```ts
 * import { transient } from "agnes/kit";
 * throw transient("the export job was cancelled by the source", { retryAfterMs: 30_000 });
 * ```
 */
export function transient(
  message: string,
  options: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
): AgnesError<"source_unavailable"> {
  const { retryAfterMs, cause } = options;
  const details = { reason: message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new AgnesError("source_unavailable", details, { cause });
}

/**
 * An error for a failure that stays until someone changes something: a missing right, a table that is gone.
 *
 * @param message one sentence, never with a secret in it
 * @example
 * ```ts
 * import { permanent } from "agnes/kit";
 * throw permanent("the project has no storage backend");
 * ```
 */
export function permanent(
  message: string,
  options: { readonly cause?: unknown } = {},
): AgnesError<"source_refused"> {
  return new AgnesError("source_refused", { reason: message }, options);
}
