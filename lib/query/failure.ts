import { isAbsolute, relative, sep } from "node:path";

import { AgnesError, isAgnesError, redact, type SqlPlace } from "../base/mod.ts";
import { statementPlace } from "../duckdb/mod.ts";
import { explained } from "./explain.ts";
import { pivotIndex } from "./pivot.ts";
import { runRefusal } from "./pivot-refusals.ts";
import { markPivots } from "./pivot-text.ts";
import { placeAt, typedIndex } from "./place.ts";
import { withoutSettings } from "./without-settings.ts";

/** Paths and values that messages must not contain. */
export interface FailureScope {
  readonly dataDirectory: string;
  /** The home directory; null if unknown. */
  readonly home: string | null;
  /** Whether the caller has access to some tables only, so that file names are hidden. */
  readonly isRestricted: boolean;
  /** Values to remove from all messages. */
  readonly secrets: Iterable<string>;
  /** The SQL as the user entered it, for the place of an error. */
  readonly typed?: string | undefined;
}

/** Whether an error leaves its DuckDB instance unusable. */
export function isFatal(error: unknown): boolean {
  if (!isAgnesError(error)) return false;
  const { kind } = error.details as { readonly kind?: unknown };
  return (
    error.code === "query_lost" ||
    ((error.code === "duckdb_failed" || error.code === "sql_failed") &&
      (kind === "INTERNAL Error" || kind === "FATAL Error"))
  );
}

/**
 * Converts errors of DuckDB into errors of the query, without paths and internal names. Other errors are returned
 * unchanged.
 */
export function queryFailure(error: unknown, scope: FailureScope): unknown {
  if (isAgnesError(error, "duckdb_failed")) return statementFailure(error, scope);
  if (isAgnesError(error, "file_unreadable")) return fileFailure(error, scope);
  if (isAgnesError(error, "duckdb_out_of_memory")) {
    const { operation, reason } = error.details;
    return new AgnesError(
      error.code,
      { operation: withoutPaths(operation, scope), reason: withoutPaths(reason, scope) },
      { cause: error },
    );
  }
  if (isAgnesError(error, "plugin_failed") && scope.isRestricted) return sourceFailure(error);
  if (isAgnesError(error) && error.isDataError && scope.isRestricted) return dataFailure(error);
  // DuckDB suggests names of all tables, if that of the query is gone.
  if (isAgnesError(error, "remote_unavailable") && scope.isRestricted)
    return new AgnesError(error.code, { ...error.details, reason: HIDDEN_REASON }, { cause: error });
  // The error contains the next statement, which may be an internal one.
  if (isAgnesError(error, "duckdb_stuck"))
    return new AgnesError(error.code, { ...error.details, what: "the query" }, { cause: error });
  if (isAgnesError(error, "disk_full")) {
    return new AgnesError(error.code, { path: withoutPaths(error.details.path, scope) }, { cause: error });
  }
  return error;
}

/** The length of a reason, which may contain values of any length. */
const REASON_LENGTH_MAX = 10_000;
/** The length of the text from which private names are removed; one that this cuts off is not in the reason. */
const SEARCHED_LENGTH_MAX = 10 * REASON_LENGTH_MAX;

const shortened = (reason: string): string =>
  reason.length <= REASON_LENGTH_MAX ? reason : `${reason.slice(0, REASON_LENGTH_MAX)}…`;

function statementFailure(error: AgnesError<"duckdb_failed">, scope: FailureScope): AgnesError {
  const { kind } = error.details;
  const reason = error.details.reason.slice(0, SEARCHED_LENGTH_MAX);
  // The message then describes the failure of another query and may contain its values.
  if (/database has been invalidated/.test(reason)) return new AgnesError("query_lost", {}, { cause: error });
  let message = withoutPaths(withoutSettings(reason), scope);
  if (reason.includes("max_expression_depth")) message = "its expressions are nested too deeply";
  if (isFatal(error)) message = `internal error in DuckDB: ${message}`;
  const redacted = shortened(redact(message, scope.secrets));
  // The message of an attached database may contain its connection string, and so may the cause.
  const cause = redacted === message ? error : new Error(redacted);
  const place = typedPlace(error, scope.typed);
  const { typed } = scope;
  const refusal = runRefusal(redacted, () => typed !== undefined && markPivots(typed) !== null);
  return new AgnesError(
    "sql_failed",
    { kind, reason: redacted, ...refusal, ...(place === undefined ? {} : { place }) },
    { cause },
  );
}

/** The failure of a source without its text, which may name tables and columns that the caller may not access. */
function sourceFailure(error: AgnesError<"plugin_failed">): AgnesError {
  const { plugin, source, operation, table, code } = error.details;
  const details = {
    plugin,
    source,
    operation,
    ...(table !== undefined && { table }),
    reason: HIDDEN_REASON,
    ...(code !== undefined && { code }),
    advice: HIDDEN_ADVICE,
  };
  return new AgnesError("plugin_failed", details, { cause: error, retry: error.retry });
}

const HIDDEN_REASON = "only callers with access to all tables get the reason";
const HIDDEN_ADVICE = "Try again later, or ask an administrator to run the query.";

/**
 * An error in the data of a source, with a code of its plugin or of Agnes. Its texts stay if its details are numbers and the table
 * of the query only, as those of a limit. Others, such as a reason of the source, may name tables and columns that the caller may
 * not access.
 */
function dataFailure(error: AgnesError): AgnesError {
  const isPublic = ([key, value]: readonly [string, unknown]) =>
    key === "table" || key === "tableCommand" || value === null || typeof value === "number";
  if (Object.entries(error.details).every(isPublic)) return error;
  const texts = { message: `the source of the query failed: ${HIDDEN_REASON}`, hint: HIDDEN_ADVICE };
  return error.withDetails({}, { cause: error, texts });
}

/** Returns the place of a DuckDB error in the SQL as entered. */
function typedPlace(error: AgnesError, typed: string | undefined): SqlPlace | undefined {
  const ran = typed === undefined ? undefined : statementPlace(error);
  if (ran === undefined) return undefined;
  const inPivot = pivotIndex(explained(typed!) ?? typed!, ran.sql, ran.index);
  const index = inPivot === undefined ? typedIndex(typed!, ran.sql, ran.index) : inPivot;
  return index === null ? undefined : placeAt(typed!, index);
}

/** A path outside the data directory is a value of the query and not a file of Agnes. */
function fileFailure(error: AgnesError<"file_unreadable">, scope: FailureScope): AgnesError {
  const { path, reason } = error.details;
  const inside = relative(scope.dataDirectory, path);
  if (!isAbsolute(path) || inside.startsWith("..") || isAbsolute(inside)) {
    return new AgnesError(
      "sql_failed",
      { kind: "Error", reason: withoutPaths(reason, scope) },
      { cause: error },
    );
  }
  const publicPath = scope.isRestricted ? "a file of a table" : inside;
  return new AgnesError(
    "file_unreadable",
    { path: publicPath, reason: withoutPaths(reason, scope) },
    { cause: error },
  );
}

/** Removes local directories and internal database names from a message. */
function withoutPaths(text: string, { dataDirectory, home, isRestricted }: FailureScope): string {
  let redacted = text
    .replace(/\s*Did you mean "[^"\n]*agnes:[^\n]*/g, "")
    .replace(/"?agnes:[^\s."']*"?\.(?:"?main"?\.)?/g, "")
    .replace(/"?agnes:[^\s."']*"?/g, "the database");
  const escaped = (path: string) => path.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const inData = new RegExp(`${escaped(dataDirectory)}${escaped(sep)}([^"'\\n]*)`, "g");
  // DuckDB suggests names of all tables, for example if the view of another program refers to one that is gone.
  if (isRestricted && /\bTable with name\b/.test(redacted))
    redacted = redacted.replace(/\s*Did you mean "[^\n]*/g, "");
  redacted = redacted.replace(inData, (_whole, rest: string) => (isRestricted ? "a file of a table" : rest));
  if (home !== null && home.length > 1) redacted = redacted.replaceAll(home + sep, `~${sep}`);
  return redacted;
}
