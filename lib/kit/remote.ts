import type { Secret } from "../base/mod.ts";

/** A value of an `ATTACH` or of a DuckDB secret: a constant, or a secret of the plugin, never its text. */
export type AttachValue = string | number | boolean | Secret;

/**
 * How DuckDB attaches the source.
 *
 * Only `alias`, `extension`, `url` and `tokenEnv` are published with the extract. The rest is requested from
 * the plugin each time `analytics.duckdb` is rebuilt.
 *
 * @example
 * ```ts
 * import type { RemoteAttachInfo } from "agnes/kit";
 *
 * const info: RemoteAttachInfo = {
 *   alias: "erp",
 *   extension: "postgres",
 *   url: "host=db.example.com dbname=erp user=reader",
 *   tokenEnv: "ERP_PASSWORD",
 *   options: { SCHEMA: "sales" },
 * };
 * ```
 */
export interface RemoteAttachInfo {
  /** The name of the database in the views of the extract. */
  readonly alias: string;
  /** The DuckDB extension, a key of the plugin's `extensions`, or `duckdb` for a DuckDB file. */
  readonly extension: string;
  /** The string after `ATTACH`, without secrets. */
  readonly url: string;
  /** The NAME of the environment variable that holds the token, `secrets.TOKEN.name`; empty if there is none. */
  readonly tokenEnv: string;
  /** Additional options of `ATTACH` by name, without `TYPE` and the access mode. Default: none. */
  readonly options?: Readonly<Record<string, AttachValue>>;
  /** Additional parameters of the DuckDB secret in `extensions`, by name. Default: none. */
  readonly secret?: Readonly<Record<string, AttachValue>>;
}

/**
 * How to install a DuckDB extension and attach databases with it; `{}` is an official extension that attaches without
 * a token.
 *
 * @example
 * ```ts
 * import type { ExtensionSpec } from "agnes/kit";
 *
 * // CREATE SECRET … (TYPE postgres, PASSWORD …); ATTACH … (TYPE postgres, READ_ONLY, SECRET …)
 * const postgres: ExtensionSpec = { secret: { type: "postgres", tokenParameter: "PASSWORD" } };
 * // ATTACH … (TYPE keboola, TOKEN …)
 * const keboola: ExtensionSpec = { repository: "community", tokenOption: "TOKEN", isExact: false };
 * ```
 */
export interface ExtensionSpec {
  /** The repository for `INSTALL`. Default: `core`. */
  readonly repository?: "core" | "community";
  /** The `TYPE` of the `ATTACH`. Default: the name of the extension. */
  readonly type?: string;
  /** `false` for an extension that does not support `READ_ONLY`. Default: `true`, every attach is read-only. */
  readonly readOnly?: boolean;
  /** The `ATTACH` option for the token of `tokenEnv`. Default: none. */
  readonly tokenOption?: string;
  /**
   * `false` for an extension that may return other columns or types than the plugin describes, or rows that do not match
   * the conditions it receives. Its tables then have exactly the described columns, in their types, and DuckDB evaluates
   * all conditions itself: the extension reads all rows of the selected columns. Default: `true`.
   */
  readonly isExact?: boolean;
  /** The DuckDB secret that is created before the `ATTACH`, in memory. Default: none. */
  readonly secret?: {
    /** Its `TYPE`. */
    readonly type: string;
    /** The parameter for the token of `tokenEnv`. Default: none. */
    readonly tokenParameter?: string;
    /**
     * The `ATTACH` option for the name of the secret. `null` if the extension has none and finds the secret by its
     * `SCOPE`. Default: `SECRET`.
     */
    readonly option?: string | null;
  };
  /**
   * Returns the hosts that attaching `url` connects to, for `AGNES_REMOTE_ATTACH_HOST_ALLOWLIST`: none for a file or a
   * vendor whose host does not depend on the URL; `null` if they are unknown. Default: the host of the URL.
   */
  readonly hosts?: (url: string) => readonly string[] | null;
  /**
   * Whether extracts written by other programs may attach databases with this extension and the tokens of this plugin.
   * Never set it for an extension that reads files. Default: `false`.
   */
  readonly foreign?: boolean;
  /** Table functions of the extension that views of such extracts may call. Default: none. */
  readonly functions?: readonly string[];
}
