import { spokenDuration } from "../duration.ts";
import { counted } from "../counted.ts";
import { placeText, type SqlPlace } from "./place.ts";
import { errorSpec, formatValue } from "./spec.ts";

/** The next step for an alias above a limit. */
const ALIAS_ADVICE = {
  rows: "Aggregate or filter more in its SQL, select the rows by keys, or raise the limit with --register-max-rows.",
  bytes: "Select fewer columns or rows in its SQL, or raise the limit with --register-max-bytes.",
  "scanned bytes": "Read fewer columns or partitions in its SQL, or raise `maxScannedBytes`.",
  "scanned bytes together":
    "Read fewer columns or partitions in their SQL, run them in several queries, or raise the limit in the options of the source.",
  keys: "Select fewer keys, or compare with a range: `WHERE id BETWEEN` the smallest and the greatest key.",
} as const;

/** Errors of SQL queries. */
export const queryErrors = {
  sql_malformed: errorSpec<{ reason: string; position: number | null; place?: SqlPlace; advice?: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the SQL cannot be parsed: ${d.reason}${placeText(d.place)}`,
    hint: (d) => d.advice ?? "Correct the SQL; the dialect is DuckDB's.",
  }),
  sql_not_allowed: errorSpec<{ reason: string; advice: string; place?: SqlPlace }>({
    status: 400,
    exit: 2,
    message: (d) => `this SQL is not allowed: ${d.reason}${placeText(d.place)}`,
    hint: (d) => d.advice,
  }),
  sql_too_long: errorSpec<{ length: number; limit: number }>({
    status: 413,
    exit: 2,
    message: (d) => `the SQL has ${counted(d.length, "character")}, more than the limit of ${d.limit}`,
    hint: () => "Put long lists of values into a table and join it.",
  }),
  sql_failed: errorSpec<{ kind: string; reason: string; place?: SqlPlace; advice?: string }>({
    status: 400,
    message: (d) => `the query failed: ${d.reason}${placeText(d.place)}`,
    hint: (d) =>
      d.advice ??
      (/^(?:INTERNAL|FATAL) Error$/.test(d.kind)
        ? "Rewrite the query; later queries run on a new instance of DuckDB."
        : "Correct the SQL; `agnes schema TABLE` lists columns and types."),
  }),
  parameters_invalid: errorSpec<{ reason: string; advice: string; place?: SqlPlace }>({
    status: 400,
    exit: 2,
    message: (d) => `the parameters of the query cannot be used: ${d.reason}${placeText(d.place)}`,
    hint: (d) => d.advice,
  }),
  query_lost: errorSpec<Record<never, never>>({
    status: 503,
    retry: "transient",
    message: () => "another query caused DuckDB to fail, which also stopped this one",
    hint: () => "Run it again; it runs on a new instance of DuckDB.",
  }),
  query_memory_exceeded: errorSpec<{ limitMb: number }>({
    status: 507,
    message: (d) => `the query was stopped because it used more than ${d.limitMb} MB of memory`,
    hint: () => "Request less data at once, or raise `workers.memoryMb`.",
  }),
  queries_waiting: errorSpec<{ waiting: number; retryAfterMs: number }>({
    status: 429,
    retry: "transient",
    message: (d) =>
      `${counted(d.waiting, "query", "queries")} of this caller already wait for a worker process`,
    hint: (d) => `Run it again after ${spokenDuration(d.retryAfterMs)}, or run fewer queries at once.`,
  }),
  rows_not_read: errorSpec<{ stalledMs: number }>({
    status: 408,
    message: (d) => `the query was stopped because its rows were not read for ${spokenDuration(d.stalledMs)}`,
    hint: () => "Read the rows as they arrive, or write them to a file first.",
  }),
  worker_lost: errorSpec<{ reason: string }>({
    status: 500,
    message: (d) => `the process that ran the query ended: ${d.reason}`,
    hint: () => "Run it again in a new process; if it ends again, rewrite the query.",
  }),
  alias_refused: errorSpec<{ alias: string; reason: string; advice: string }>({
    status: 400,
    exit: 2,
    message: (d) => `the alias ${formatValue(d.alias)} is not allowed: ${d.reason}`,
    hint: (d) => d.advice,
  }),
  alias_limit_exceeded: errorSpec<{
    alias: string;
    source: string;
    limit: "rows" | "bytes" | "scanned bytes" | "scanned bytes together" | "keys";
    max: number;
  }>({
    status: 413,
    message: (d) => {
      const [alias, max] = [formatValue(d.alias), d.max.toLocaleString("en")];
      return d.limit === "scanned bytes together"
        ? `the aliases of source ${d.source} together have more scanned bytes than it allows one query, ${max}; the alias ${alias} has the most`
        : `the alias ${alias} of source ${d.source} has more ${d.limit} than its limit of ${max}`;
    },
    hint: (d) => ALIAS_ADVICE[d.limit],
  }),
  alias_access_denied: errorSpec<{ alias: string; source: string; reason: string }>({
    status: 403,
    message: (d) =>
      `the SQL of the alias ${formatValue(d.alias)} cannot run in source ${d.source} for a caller with access to some tables only: ${d.reason}`,
    hint: () => "Read only registered tables that you may access: `agnes catalog` lists the published ones.",
  }),
  analytics_unreadable: errorSpec<{ path: string; reason: string }>({
    message: (d) => `the analytics database ${d.path} cannot be read: ${d.reason}`,
    hint: () => "Remove it and run `agnes sync` to rebuild it from the extracts.",
  }),
} as const;
