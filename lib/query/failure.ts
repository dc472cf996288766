import { isAbsolute, relative, sep } from "node:path";

import { AgnesError, isAgnesError, redact, type SqlPlace } from "../base/mod.ts";
import { statementPlace } from "../duckdb/mod.ts";
import { explained } from "./explain.ts";
import { pivotIndex } from "./pivot.ts";
import { runRefusal } from "./pivot-refusals.ts";
import { markPivots } from "./pivot-text.ts";
import { placeAt, typedIndex } from "./place.ts";
import { withoutSettings } from "./without-settings.ts";

/** What of the machine a message must not tell. */
export interface FailureScope {
  readonly dataDirectory: string;
  /** The home directory; null when it is not known. */
  readonly home: string | null;
  /** Whether who asks may see some tables only, and so no file of any. */
  readonly isRestricted: boolean;
  /** Values that no message may show. */
  readonly secrets: Iterable<string>;
  /** The SQL as somebody typed it, in which an error points to its place. */
  readonly typed?: string | undefined;
}

/** Whether an error leaves a DuckDB instance behind that answers nothing any more. */
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
 * What DuckDB says of a statement is the author's to correct, without what it says of the machine; other errors stay
 * what they are.
 */
export function queryFailure(error: unknown, scope: FailureScope): unknown {
  if (isAgnesError(error, "duckdb_failed")) return statementFailure(error, scope);
  if (isAgnesError(error, "file_unreadable")) return fileFailure(error, scope);
  if (isAgnesError(error, "duckdb_out_of_memory")) {
    const { operation, reason } = error.details;
    return new AgnesError(
      error.code,
      { operation: withoutPlaces(operation, scope), reason: withoutPlaces(reason, scope) },
      { cause: error },
    );
  }
  // It names the statement that came next, which may be one of ours.
  if (isAgnesError(error, "duckdb_stuck"))
    return new AgnesError(error.code, { ...error.details, what: "the query" }, { cause: error });
  if (isAgnesError(error, "disk_full")) {
    return new AgnesError(error.code, { path: withoutPlaces(error.details.path, scope) }, { cause: error });
  }
  return error;
}

function statementFailure(error: AgnesError<"duckdb_failed">, scope: FailureScope): AgnesError {
  const { kind, reason } = error.details;
  // What DuckDB says then is the failure of another query, with its values.
  if (/database has been invalidated/.test(reason)) return new AgnesError("query_lost", {}, { cause: error });
  let told = withoutPlaces(withoutSettings(reason), scope);
  if (reason.includes("max_expression_depth")) told = "its expressions are nested too deeply";
  if (isFatal(error)) told = `internal error in DuckDB: ${told}`;
  const clean = redact(told, scope.secrets);
  // An attached database may put its connection string into a message; then the cause has it too.
  const cause = clean === told ? error : new Error(clean);
  const place = typedPlace(error, scope.typed);
  const { typed } = scope;
  const refusal = runRefusal(clean, () => typed !== undefined && markPivots(typed) !== null);
  return new AgnesError(
    "sql_failed",
    { kind, reason: clean, ...refusal, ...(place === undefined ? {} : { place }) },
    { cause },
  );
}

/** Where in the SQL that somebody typed an error of DuckDB points. */
function typedPlace(error: AgnesError, typed: string | undefined): SqlPlace | undefined {
  const ran = typed === undefined ? undefined : statementPlace(error);
  if (ran === undefined) return undefined;
  const inPivot = pivotIndex(explained(typed!) ?? typed!, ran.sql, ran.index);
  const index = inPivot === undefined ? typedIndex(typed!, ran.sql, ran.index) : inPivot;
  return index === null ? undefined : placeAt(typed!, index);
}

/** A path that is none of ours is a value that looks like one. */
function fileFailure(error: AgnesError<"file_unreadable">, scope: FailureScope): AgnesError {
  const { path, reason } = error.details;
  const inside = relative(scope.dataDirectory, path);
  if (!isAbsolute(path) || inside.startsWith("..") || isAbsolute(inside)) {
    return new AgnesError(
      "sql_failed",
      { kind: "Error", reason: withoutPlaces(reason, scope) },
      { cause: error },
    );
  }
  const shownPath = scope.isRestricted ? "a file of a table" : inside;
  return new AgnesError(
    "file_unreadable",
    { path: shownPath, reason: withoutPlaces(reason, scope) },
    { cause: error },
  );
}

/** Without directories of the machine, and without the names that Agnes gives to databases. */
function withoutPlaces(text: string, { dataDirectory, home, isRestricted }: FailureScope): string {
  let clean = text
    .replace(/\s*Did you mean "[^"\n]*agnes:[^\n]*/g, "")
    .replace(/"?agnes:[^\s."']*"?\.(?:"?main"?\.)?/g, "")
    .replace(/"?agnes:[^\s."']*"?/g, "the database");
  const escaped = (path: string) => path.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const inData = new RegExp(`${escaped(dataDirectory)}${escaped(sep)}([^"'\\n]*)`, "g");
  clean = clean.replace(inData, (_whole, rest: string) => (isRestricted ? "a file of a table" : rest));
  if (home !== null && home.length > 1) clean = clean.replaceAll(home + sep, `~${sep}`);
  return clean;
}
