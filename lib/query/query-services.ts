import type { NamedExtension } from "../analytics/mod.ts";
import type { Host, Log } from "../base/mod.ts";
import type { DuckDBLimits } from "../duckdb/mod.ts";

/** The services that a session uses. */
export interface QueryServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
  /** The DuckDB extensions that loaded plugins declare. Default: none. */
  readonly extensions?: readonly NamedExtension[];
  /** Why no database of a source is attached. Default: they may be attached. */
  readonly attachRefusal?: string;
}
