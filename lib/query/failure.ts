import { isAbsolute, relative, sep } from "node:path";

import { AgnesError, isAgnesError, redact, type SqlPlace } from "../base/mod.ts";
import { withoutDatabases } from "../analytics/mod.ts";
import { statementPlace } from "../duckdb/mod.ts";
import type { Access } from "./access.ts";
import { explained } from "./explain.ts";
import { HIDDEN_REASON, limitedFailure } from "./limited-failure.ts";
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
  /** The ids or view names that the caller may access, so that nothing of other tables is shown; null: all tables. */
  readonly access: Access;
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
 * Converts errors of DuckDB into errors of the query, without paths and internal names, and all errors for callers with access to
 * some tables only into those without the names of others. Other errors are returned unchanged.
 */
export function queryFailure(error: unknown, scope: FailureScope): unknown {
  const { access } = scope;
  if (!isAgnesError(error)) return error;
  if (error.isDataError && access !== null) return limitedFailure(error, access);
  if (isAgnesError(error, "duckdb_failed")) return statementFailure(error, scope);
  if (isAgnesError(error, "file_unreadable") && access === null) return fileFailure(error, scope);
  if (isAgnesError(error, "duckdb_out_of_memory")) {
    const { reason } = error.details;
    const operation = access === null ? withoutPaths(error.details.operation, scope) : "the query";
    return new AgnesError(error.code, { operation, reason: withoutPaths(reason, scope) }, { cause: error });
  }
  // DuckDB suggests names of all tables, if that of the query is gone.
  if (isAgnesError(error, "remote_unavailable") && access !== null)
    return new AgnesError(error.code, { ...error.details, reason: HIDDEN_REASON }, { cause: error });
  // The error contains the next statement, which may be an internal one.
  if (isAgnesError(error, "duckdb_stuck"))
    return new AgnesError(error.code, { ...error.details, what: "the query" }, { cause: error });
  if (isAgnesError(error, "disk_full")) {
    const path = access === null ? withoutPaths(error.details.path, scope) : "a file of the query";
    return new AgnesError(error.code, { path }, { cause: error });
  }
  if (access === null) return error;
  // A connector may throw it too, with any text.
  if (isAgnesError(error, "aborted"))
    return new AgnesError(error.code, { what: "the query" }, { cause: error });
  return limitedFailure(error, access);
}

/** The length of a reason, which may contain values of any length. */
const REASON_LENGTH_MAX = 10_000;
/** The length of the text from which private names are removed; one that this cuts off is not in the reason. */
const SEARCHED_LENGTH_MAX = 10 * REASON_LENGTH_MAX;

const shortened = (reason: string): string =>
  reason.length <= REASON_LENGTH_MAX ? reason : `${reason.slice(0, REASON_LENGTH_MAX)}…`;

/** The kinds of errors about a statement and its values. Others, such as `IO Error`, may have texts of an attached database. */
const STATEMENT_KINDS: ReadonlySet<string> = new Set([
  "Binder Error",
  "Catalog Error",
  "Conversion Error",
  "Invalid Input Error",
  "Invalid Type Error",
  "Mismatch Type Error",
  "Not implemented Error",
  "Out of Range Error",
  "Parameter Not Allowed Error",
  "Parser Error",
]);

function statementFailure(error: AgnesError<"duckdb_failed">, scope: FailureScope): AgnesError {
  const { kind } = error.details;
  const reason = error.details.reason.slice(0, SEARCHED_LENGTH_MAX);
  // The message then describes the failure of another query and may contain its values.
  if (/database has been invalidated/.test(reason)) return new AgnesError("query_lost", {}, { cause: error });
  let message = withoutPaths(withoutSettings(reason), scope);
  if (scope.access !== null && !STATEMENT_KINDS.has(kind)) message = HIDDEN_REASON;
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
  return new AgnesError(
    "file_unreadable",
    { path: inside, reason: withoutPaths(reason, scope) },
    { cause: error },
  );
}

/** Removes local directories and internal database names from a message. */
function withoutPaths(text: string, { dataDirectory, home, access }: FailureScope): string {
  let redacted = withoutDatabases(text.replace(/\s*Did you mean "[^"\n]*agnes:[^\n]*/g, ""));
  const escaped = (path: string) => path.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const inData = new RegExp(`${escaped(dataDirectory)}${escaped(sep)}([^"'\\n]*)`, "g");
  // DuckDB suggests names of all tables, for example if the view of another program refers to one that is gone.
  if (access !== null && !/\bFunction with name\b/.test(redacted))
    redacted = redacted.replace(/\s*Did you mean "[^\n]*/g, "");
  redacted = redacted.replace(inData, (_whole, rest: string) =>
    access === null ? rest : "a file of a table",
  );
  if (home !== null && home.length > 1) redacted = redacted.replaceAll(home + sep, `~${sep}`);
  return redacted;
}
