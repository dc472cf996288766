import type { Host, Log } from "../base/mod.ts";
import type { DuckDBLimits } from "../duckdb/mod.ts";
import type { RemoteAttachInfo } from "../kit/mod.ts";
import type { NamedExtension } from "./remote/plan.ts";
import type { NameOwner } from "./views/plan-names.ts";

/** What a rebuild works with. */
export interface AnalyticsServices {
  readonly host: Host;
  readonly log: Log;
  readonly limits: DuckDBLimits;
}

/** The configuration of a source, as far as attaching it goes. */
export interface ConfiguredSource {
  readonly plugin: string;
  /** All that changes how it is attached, as text. */
  readonly settings: string;
}

/** What the plugin of a source declares as its `remote`, or why it could not be asked; null when it declares nothing. */
export type DeclaredRemote = RemoteAttachInfo | { readonly problem: string } | null;

/** What is to be rebuilt. */
export interface RebuildRequest {
  readonly dataDirectory: string;
  /** Which table has which name, by the registry; null when there is no registry. */
  readonly owners: readonly NameOwner[] | null;
  /** The names of the configured sources: a folder that differs from one only in case is not shown. Default: none. */
  readonly sources?: readonly string[];
  /** What the plugin of a source declares as its `remote`; what an extract asks beyond that is checked by lists. */
  readonly declaredRemote?: (source: string) => Promise<DeclaredRemote>;
  /** The DuckDB extensions that loaded plugins name. Default: none. */
  readonly extensions?: readonly NamedExtension[];
  /** How a source is configured, which decides how it is attached; null when it is not. Default: no source is. */
  readonly configured?: (source: string) => ConfiguredSource | null;
  /** Whether DuckDB extensions that remote tables need may be downloaded now. Default `false`. */
  readonly installExtensions?: boolean;
  /** How long reading one extract may take, in milliseconds. Default: one minute. */
  readonly extractTimeoutMs?: number;
  /** How long attaching one remote database may take, in milliseconds. Default: 10 seconds; 5 minutes with a download. */
  readonly attachTimeoutMs?: number;
  /** Look at every extract again, changed or not. Default `false`. */
  readonly full?: boolean;
  readonly signal?: AbortSignal;
}
