import { basename } from "node:path";

import { AgnesError, isAgnesError, messageOf, redact } from "../base/mod.ts";
import { errorPosition } from "./error-position.ts";
import { excerpt } from "./sql.ts";

/** Turns what DuckDB threw into an `AgnesError`; one that is already stays itself. */
export function duckdbError(error: unknown, sql: string): AgnesError {
  if (isAgnesError(error)) return error;
  const text = messageOf(error).replace(PENDING, "");
  const operation = excerpt(sql);
  const { kind, reason } = parts(text);
  // A statement that may carry a credential does not go into the cause either.
  const isHidden = /secret|token|password|attach/i.test(sql) || isInternal(kind);
  const cause = isHidden ? new Error(reason) : error;
  // A value that SQL complains about, or a text of `error()`, can look like any of these.
  const isAboutValues = VALUE_KINDS.has(kind);
  const statementError = () => {
    const failed = new AgnesError("duckdb_failed", { operation, kind, reason }, { cause });
    const index = errorPosition(text, sql);
    if (index !== null) places.set(failed, { sql, index });
    return failed;
  };
  if (isAboutValues && !/\b(?:file|database)\b/i.test(text)) return statementError();
  if (
    !isAboutValues &&
    /No space left on device|max_temp_directory_size|Disk quota exceeded|File too large/i.test(text)
  ) {
    return new AgnesError("disk_full", { path: quotedPath(text) ?? operation }, { cause });
  }
  if (kind === "Out of Memory Error") {
    return new AgnesError("duckdb_out_of_memory", { operation, reason }, { cause });
  }
  const path = quotedPath(text);
  if (!isAboutValues && /Could not set lock on file|Conflicting lock/.test(text)) {
    return new AgnesError("locked", { what: path ?? operation, holder: lockHolder(text) }, { cause });
  }
  if (path !== null && UNREADABLE.test(text)) {
    return new AgnesError("file_unreadable", { path, reason }, { cause });
  }
  return statementError();
}

/** What DuckDB puts before the failure of a statement that it was running. */
const PENDING =
  /^Invalid Input Error: Attempting to execute an unsuccessful or closed pending query result\n(?:Error: )?/;

/** A place in a statement that ran. */
interface StatementPlace {
  readonly sql: string;
  readonly index: number;
}

/** Beside the errors, because a statement may be long, or hold what no error may show. */
const places = new WeakMap<AgnesError, StatementPlace>();

/** Where in which statement an error of DuckDB points; `undefined` when it points nowhere. */
export function statementPlace(error: AgnesError): StatementPlace | undefined {
  return places.get(error);
}

const UNREADABLE =
  /magic bytes|to be a Parquet file|not a valid DuckDB database|Cannot open (?:file|database)|error in file|No files found|corrupt|Failed to read|Snappy|ZSTD|GZIP|thrift|TProtocol|checksum|Malformed JSON|CSV Error|Error when sniffing/i;

/** `Kind Error: reason`, without the lines that point into the statement or give general advice. */
function parts(text: string): { kind: string; reason: string } {
  const [, kind = "Error", rest = text] = /^([A-Za-z ]+ Error|[A-Z][a-z]+): ([\s\S]*)$/.exec(text) ?? [];
  const ends = isInternal(kind) ? INTERNAL_ENDS : ENDS;
  const reason = rest.split(ends)[0]!.trim();
  return { kind, reason: redact(isInternal(kind) ? withoutAddresses(reason) : reason) };
}

const ENDS = /\n\s*\nLINE |\nLINE \d|\n\s*\nPossible solutions|\n\s*\nSee also/;

/** What follows is the stack of the native code, and where to report the failure. */
const INTERNAL_ENDS =
  /\n\s*\nLINE |\nLINE \d|\s*Stack Trace:|\s*This error signals an assertion failure|\s*For more information, see/;

/** DuckDB's own failures, after which the instance answers nothing. */
function isInternal(kind: string): boolean {
  return kind === "INTERNAL Error" || kind === "FATAL Error";
}

function withoutAddresses(text: string): string {
  return text.replace(/\b0x[0-9a-f]{4,}\b/gi, "…");
}

/** What fails at the values and names of a statement; a file whose content is wrong is among them. */
const VALUE_KINDS = new Set([
  "Binder Error",
  "Catalog Error",
  "Conversion Error",
  "Invalid Input Error",
  "Out of Range Error",
  "Parser Error",
]);

/** Who DuckDB says has the lock, as far as it can tell. */
export function lockHolder(text: string): string {
  const [, program, pid] = /lock is held in (\S+) \(PID (\d+)\)/.exec(text) ?? [];
  return pid === undefined ? "another process" : `${basename(program!)} (process ${pid})`;
}

function quotedPath(text: string): string | null {
  return /['"]([^'"\n]*[/\\][^'"\n]*)['"]/.exec(text)?.[1] ?? null;
}
