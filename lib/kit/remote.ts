import type { Secret } from "../base/mod.ts";

/** A value of an `ATTACH` or of a DuckDB secret: a constant, or a secret of the plugin, never its text. */
export type AttachValue = string | number | boolean | Secret;

/**
 * How DuckDB attaches the source itself.
 *
 * Only `alias`, `extension`, `url` and `tokenEnv` are published with the extract. The rest is asked of the plugin
 * again whenever `analytics.duckdb` is rebuilt.
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
  /** The name under which the views of the extract know the database. */
  readonly alias: string;
  /** DuckDB extension, as `extensions` of the plugin names it, or `duckdb` for a DuckDB file. */
  readonly extension: string;
  /** What to attach: the text after `ATTACH`; never a secret in it. */
  readonly url: string;
  /** The NAME of the environment variable that holds the token, `secrets.TOKEN.name`; empty when there is none. */
  readonly tokenEnv: string;
  /** Further options of the `ATTACH` by name. `TYPE` and the access mode are not among them. Default: none. */
  readonly options?: Readonly<Record<string, AttachValue>>;
  /** Further parameters of the DuckDB secret that `extensions` describes, by name. Default: none. */
  readonly secret?: Readonly<Record<string, AttachValue>>;
}

/**
 * What Agnes must know of a DuckDB extension to install it and to attach databases with it; `{}` is an official
 * extension that attaches without a token.
 *
 * @example
 * ```ts
 * import type { ExtensionSpec } from "agnes/kit";
 *
 * // CREATE SECRET … (TYPE postgres, PASSWORD …); ATTACH … (TYPE postgres, READ_ONLY, SECRET …)
 * const postgres: ExtensionSpec = { secret: { type: "postgres", tokenParameter: "PASSWORD" } };
 * // ATTACH … (TYPE keboola, TOKEN …)
 * const keboola: ExtensionSpec = { repository: "community", readOnly: false, tokenOption: "TOKEN" };
 * ```
 */
export interface ExtensionSpec {
  /** The repository that `INSTALL` takes it from. Default `core`. */
  readonly repository?: "core" | "community";
  /** The `TYPE` of the `ATTACH`. Default: the name of the extension. */
  readonly type?: string;
  /** `false` for an extension that refuses `READ_ONLY`. Default `true`: every attach is read-only. */
  readonly readOnly?: boolean;
  /** The option of the `ATTACH` that takes the token of `tokenEnv`. Default: no option does. */
  readonly tokenOption?: string;
  /** The DuckDB secret that is created before the `ATTACH`, in memory. Default: none. */
  readonly secret?: {
    /** Its `TYPE`. */
    readonly type: string;
    /** The parameter that takes the token of `tokenEnv`. Default: no parameter does. */
    readonly tokenParameter?: string;
    /**
     * The option of the `ATTACH` that names the secret. `null` when the extension takes none and finds the secret by
     * its `SCOPE`. Default `SECRET`.
     */
    readonly option?: string | null;
  };
  /**
   * The hosts that attaching `url` connects to, for `AGNES_REMOTE_ATTACH_HOST_ALLOWLIST`: none for a file or a vendor
   * that is reached whatever the url is; `null` when they cannot be told. Default: the host of the URL.
   */
  readonly hosts?: (url: string) => readonly string[] | null;
  /**
   * Whether extracts that other programs wrote may attach databases with it, with the tokens of this plugin. Never for
   * an extension that reads files. Default `false`.
   */
  readonly foreign?: boolean;
  /** Table functions of the extension that views of such extracts may call. Default: none. */
  readonly functions?: readonly string[];
}
