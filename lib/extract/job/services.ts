import type { Host, Log } from "../../base/mod.ts";
import type { DuckDBLimits } from "../../duckdb/mod.ts";
import type { AnyConnector } from "../../kit/mod.ts";

/** The services that an extraction uses. */
export interface ExtractServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** The source of an extraction. */
export interface ExtractSource {
  readonly name: string;
  readonly plugin: { readonly name: string; readonly version: string };
  readonly connector: AnyConnector;
  /** Values that must never be written. */
  readonly secrets?: readonly string[];
}
