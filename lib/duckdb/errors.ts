import { basename } from "node:path";

import { AgnesError, isAgnesError, messageOf, redact } from "../base/mod.ts";
import { errorPosition } from "./error-position.ts";
import { excerpt } from "./sql.ts";

/** Converts an error of DuckDB to an `AgnesError`. An `AgnesError` is returned unchanged. */
export function duckdbError(error: unknown, sql: string): AgnesError {
  if (isAgnesError(error)) return error;
  const text = messageOf(error).replace(PENDING, "");
  const operation = excerpt(sql);
  const { kind, reason } = parts(text);
  // The cause must not contain a statement with a possible credential.
  const isHidden = /secret|token|password|attach/i.test(sql) || isInternal(kind);
  const cause = isHidden ? new Error(reason) : error;
  // Messages about values, or of `error()`, can contain any of these phrases.
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

/** DuckDB's prefix for the failure of a running statement. */
const PENDING =
  /^Invalid Input Error: Attempting to execute an unsuccessful or closed pending query result\n(?:Error: )?/;

/** A position in a statement. */
interface StatementPlace {
  readonly sql: string;
  readonly index: number;
}

/** Not in the error details, because a statement may be long or contain secrets. */
const places = new WeakMap<AgnesError, StatementPlace>();

/** Returns the statement and the position of an error of DuckDB; `undefined` if it has none. */
export function statementPlace(error: AgnesError): StatementPlace | undefined {
  return places.get(error);
}

const UNREADABLE =
  /magic bytes|to be a Parquet file|not a valid DuckDB database|Cannot open (?:file|database)|error in file|No files found|corrupt|Failed to read|Snappy|ZSTD|GZIP|thrift|TProtocol|checksum|Malformed JSON|CSV Error|Error when sniffing/i;

/** Splits `Kind Error: reason`, without the lines with the position in the statement and with general advice. */
function parts(text: string): { kind: string; reason: string } {
  const [, kind = "Error", rest = text] = /^([A-Za-z ]+ Error|[A-Z][a-z]+): ([\s\S]*)$/.exec(text) ?? [];
  const ends = isInternal(kind) ? INTERNAL_ENDS : ENDS;
  const reason = rest.split(ends)[0]!.trim();
  return { kind, reason: redact(isInternal(kind) ? withoutAddresses(reason) : reason) };
}

const ENDS = /\n\s*\nLINE |\nLINE \d|\n\s*\nPossible solutions|\n\s*\nSee also/;

/** The start of the native stack trace and of the instructions for reporting the failure. */
const INTERNAL_ENDS =
  /\n\s*\nLINE |\nLINE \d|\s*Stack Trace:|\s*This error signals an assertion failure|\s*For more information, see/;

/** Whether it is a failure of DuckDB itself, after which the instance is unusable. */
function isInternal(kind: string): boolean {
  return kind === "INTERNAL Error" || kind === "FATAL Error";
}

function withoutAddresses(text: string): string {
  return text.replace(/\b0x[0-9a-f]{4,}\b/gi, "…");
}

/** Errors about the values and names of a statement, or about invalid content of a file. */
const VALUE_KINDS = new Set([
  "Binder Error",
  "Catalog Error",
  "Conversion Error",
  "Invalid Input Error",
  "Out of Range Error",
  "Parser Error",
]);

/** Returns the holder of a lock from DuckDB's message, if it is known. */
export function lockHolder(text: string): string {
  const [, program, pid] = /lock is held in (\S+) \(PID (\d+)\)/.exec(text) ?? [];
  return pid === undefined ? "another process" : `${basename(program!)} (process ${pid})`;
}

function quotedPath(text: string): string | null {
  return /['"]([^'"\n]*[/\\][^'"\n]*)['"]/.exec(text)?.[1] ?? null;
}
