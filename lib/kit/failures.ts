import { AgnesError } from "../base/mod.ts";

/**
 * Creates an error for a failure that a retry may resolve: a busy source, a job cancelled by the source.
 *
 * @param message one sentence, without secrets
 * @param options.retryAfterMs when a retry makes sense, in milliseconds. Default: unknown
 * @param options.hint the next step for the user, in one sentence. Default: to run it again later
 * @param options.cause the error that led to this one. Default: none
 * @returns an error with the code `source_unavailable`
 * @example
 * ```ts
 * import { transient } from "agnes/kit";
 * throw transient("the export job was cancelled by the source", { retryAfterMs: 30_000 });
 * ```
 */
export function transient(
  message: string,
  options: { readonly retryAfterMs?: number; readonly hint?: string; readonly cause?: unknown } = {},
): AgnesError<"source_unavailable"> {
  const { retryAfterMs, hint, cause } = options;
  const details = { ...detailsOf(message, hint), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new AgnesError("source_unavailable", details, { cause });
}

/**
 * Creates an error for a failure that a retry cannot resolve: a missing permission, a deleted table.
 *
 * @param message one sentence, without secrets
 * @param options.hint the next step for the user, in one sentence. Default: to correct the cause
 * @param options.cause the error that led to this one. Default: none
 * @returns an error with the code `source_refused`
 * @example
 * ```ts
 * import { permanent } from "agnes/kit";
 * throw permanent("the project has no storage backend", { hint: "Add one in the settings of the project." });
 * ```
 */
export function permanent(
  message: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): AgnesError<"source_refused"> {
  const { hint, cause } = options;
  return new AgnesError("source_refused", detailsOf(message, hint), { cause });
}

function detailsOf(
  reason: string,
  advice: string | undefined,
): { readonly reason: string; readonly advice?: string } {
  return { reason, ...(advice === undefined ? {} : { advice }) };
}
