import type { Host, Log } from "../../base/mod.ts";
import type { DuckDBLimits } from "../../duckdb/mod.ts";
import type { AnyConnector } from "../../kit/mod.ts";

/** What the runtime needs of the world. */
export interface ExtractServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** A source, as far as extraction needs it. */
export interface ExtractSource {
  readonly name: string;
  readonly plugin: { readonly name: string; readonly version: string };
  readonly connector: AnyConnector;
  /** Values that may not be written. */
  readonly secrets?: readonly string[];
}
