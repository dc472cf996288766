import { analyticsErrors } from "./analytics.ts";
import { baseErrors } from "./base.ts";
import { catalogErrors } from "./catalog.ts";
import { cliErrors } from "./cli.ts";
import { configErrors } from "./config.ts";
import { duckdbErrors } from "./duckdb.ts";
import { extractErrors } from "./extract.ts";
import { pluginErrors } from "./plugin.ts";
import { queryErrors } from "./query.ts";
import type { ErrorSpec } from "./spec.ts";
import { sourcesErrors } from "./sources.ts";
import { syncErrors } from "./sync.ts";
import { tablesErrors } from "./tables.ts";

/** All error codes, with message, hint, HTTP status, exit status and retry class. */
export const errorCodes = {
  ...baseErrors,
  ...configErrors,
  ...cliErrors,
  ...pluginErrors,
  ...sourcesErrors,
  ...duckdbErrors,
  ...catalogErrors,
  ...tablesErrors,
  ...extractErrors,
  ...analyticsErrors,
  ...queryErrors,
  ...syncErrors,
} as const;

const dataCodes: ReadonlySet<string> = new Set([
  ...Object.keys(sourcesErrors),
  "file_failed",
  "file_reading_outdated",
  "file_row_invalid",
  "file_unreadable",
  "file_value_invalid",
]);

/** Whether a code is about the data of a source, such as its files and values, and not about a program. */
export function isDataCode(code: string): boolean {
  return dataCodes.has(code);
}

/** The stable name of a failure; see `docs/reference/errors.md`. */
export type ErrorCode = keyof typeof errorCodes;

/** The details of a code. */
export type ErrorDetails<C extends ErrorCode> = (typeof errorCodes)[C] extends ErrorSpec<infer D> ? D : never;
