import type { Host, Log } from "../base/mod.ts";
import type { DuckDBLimits } from "../duckdb/mod.ts";
import type { RemoteAttachInfo } from "../kit/mod.ts";
import type { NamedExtension } from "./remote/plan.ts";
import type { NameOwner } from "./views/plan-names.ts";

/** The services that a rebuild uses. */
export interface AnalyticsServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** The configuration of a source that affects how it is attached. */
export interface ConfiguredSource {
  readonly plugin: string;
  /** All settings that affect how it is attached, as text. */
  readonly settings: string;
}

/** The `remote` that the plugin of a source declares, or the reason why that is unknown; null if it declares none. */
export type DeclaredRemote = RemoteAttachInfo | { readonly problem: string } | null;

/** The options of a rebuild. */
export interface RebuildRequest {
  readonly dataDirectory: string;
  /** The view names in the registry; null if there is no registry. */
  readonly owners: readonly NameOwner[] | null;
  /** The names of the configured sources. A folder that differs from one only in case is skipped. Default: none. */
  readonly sources?: readonly string[];
  /** Returns the `remote` that the plugin of a source declares. Other databases of an extract are checked by lists. */
  readonly declaredRemote?: (source: string) => Promise<DeclaredRemote>;
  /** The DuckDB extensions that loaded plugins declare. Default: none. */
  readonly extensions?: readonly NamedExtension[];
  /** Returns the configuration of a source; null if it is not configured. Default: no source is configured. */
  readonly configured?: (source: string) => ConfiguredSource | null;
  /** Whether missing DuckDB extensions may be downloaded. Default: false. */
  readonly installExtensions?: boolean;
  /** The timeout for reading one extract, in milliseconds. Default: one minute. */
  readonly extractTimeoutMs?: number;
  /** The timeout for attaching one remote database, in milliseconds. Default: 10 seconds; 5 minutes with a download. */
  readonly attachTimeoutMs?: number;
  /** Whether to scan all extracts, including unchanged ones. Default: false. */
  readonly full?: boolean;
  readonly signal?: AbortSignal;
}
