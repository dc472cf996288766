import { counted } from "../counted.ts";
import { placeText, type SqlPlace } from "./place.ts";
import { errorSpec } from "./spec.ts";

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
  query_lost: errorSpec<Record<never, never>>({
    status: 503,
    retry: "transient",
    message: () => "another query caused DuckDB to fail, which also stopped this one",
    hint: () => "Run it again; it runs on a new instance of DuckDB.",
  }),
  analytics_unreadable: errorSpec<{ path: string; reason: string }>({
    message: (d) => `the analytics database ${d.path} cannot be read: ${d.reason}`,
    hint: () => "Remove it and run `agnes sync` to rebuild it from the extracts.",
  }),
} as const;
