import { analyticsErrors } from "./analytics.ts";
import { baseErrors } from "./base.ts";
import { catalogErrors } from "./catalog.ts";
import { cliErrors } from "./cli.ts";
import { configErrors } from "./config.ts";
import { duckdbErrors } from "./duckdb.ts";
import { extractErrors } from "./extract.ts";
import { metadataErrors } from "./metadata.ts";
import { pluginErrors } from "./plugin.ts";
import { profileErrors } from "./profile.ts";
import { pullErrors } from "./pull.ts";
import { queryErrors } from "./query.ts";
import type { ErrorSpec } from "./spec.ts";
import { serveErrors } from "./serve.ts";
import { sourcesErrors } from "./sources.ts";
import { syncErrors } from "./sync.ts";
import { tablesErrors } from "./tables.ts";
import { writeBackErrors } from "./write-back.ts";

/**
 * All error codes of Agnes, with message, hint, HTTP status, exit status and retry class. The codes of a plugin are in its
 * `errors`.
 */
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
  ...metadataErrors,
  ...profileErrors,
  ...syncErrors,
  ...writeBackErrors,
  ...serveErrors,
  ...pullErrors,
} as const;

/** The error code of a plugin: `plugin/name`. See `defineErrors`. */
export type PluginErrorCode = `${string}/${string}`;

/** The stable name of a failure, of Agnes or of a plugin; see `docs/reference/errors.md`. */
export type ErrorCode = keyof typeof errorCodes | PluginErrorCode;

/** The type of `AgnesError.details` for a code: the values in its message, by name; `object` for a code of a plugin. */
export type ErrorDetails<C extends ErrorCode> = C extends keyof typeof errorCodes
  ? (typeof errorCodes)[C] extends ErrorSpec<infer D>
    ? D
    : never
  : object;
