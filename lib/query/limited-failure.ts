import { AgnesError, isAgnesError, type ErrorCode } from "../base/mod.ts";

/**
 * The codes of errors that Agnes makes of the SQL of a caller and the tables that it may access. An error of a connector has
 * none of them: it is `plugin_failed`, or an error in the data of its source.
 */
const OWN_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "alias_access_denied",
  "alias_limit_exceeded",
  "alias_refused",
  "capability_missing",
  "duckdb_busy",
  "extract_changed",
  "invalid_identifier",
  "invalid_input",
  "parameters_invalid",
  "queries_waiting",
  "query_lost",
  "query_memory_exceeded",
  "rows_not_read",
  "sql_failed",
  "sql_malformed",
  "sql_not_allowed",
  "sql_too_long",
  "table_unknown",
  "table_vanished",
  "timed_out",
  "validator_rejected",
]);

export const HIDDEN_REASON = "only callers with access to all tables get the reason";
const HIDDEN_ADVICE = {
  transient: "Try again later, or ask an administrator to run the query.",
  permanent: "Ask an administrator to run the query.",
} as const;

/** Whether the texts and details of an error contain only what a caller with access to some tables may know. */
export function isOwnError(error: AgnesError): boolean {
  return OWN_CODES.has(error.code) && !error.isDataError;
}

/**
 * The error for a caller with access to some tables only: its code, and the source if the caller may access a table of it. All
 * other details, and the texts, may name tables and columns that the caller may not access.
 */
export function limitedFailure(error: AgnesError, access: ReadonlySet<string>): AgnesError {
  if (isOwnError(error)) return error;
  const { source } = error.details as { readonly source?: unknown };
  const isKnown = typeof source === "string" && [...access].some((id) => id.startsWith(`${source}.`));
  const what = isKnown ? `source ${source} failed` : `the query failed with ${error.code}`;
  const texts = { message: `${what}: ${HIDDEN_REASON}`, hint: HIDDEN_ADVICE[error.retry] };
  return error.withDetails((isKnown ? { source } : {}) as never, { cause: error, texts });
}

/** The kinds of errors about the names and the syntax of a statement. Others may be about a value inside a view. */
const NAME_KINDS: ReadonlySet<string> = new Set(["Binder Error", "Parser Error"]);

/**
 * The error of a statement over views that Agnes did not write, without the text of DuckDB: it may have names and values of
 * tables inside the views, which the caller may not access.
 * @param access the tables that the caller may access; null: all
 */
export function withoutViewTexts(
  error: unknown,
  lease: { readonly hasForeignViews: boolean } | undefined,
  access: ReadonlySet<string> | null,
): unknown {
  if (access === null || lease?.hasForeignViews !== true || !isAgnesError(error, "duckdb_failed"))
    return error;
  const { kind, reason } = error.details;
  // It is about the instance, and the query runs again.
  if (NAME_KINDS.has(kind) || reason.includes("database has been invalidated")) return error;
  const details = { operation: "the query", kind, reason: HIDDEN_REASON };
  return new AgnesError("duckdb_failed", details, { cause: error });
}
