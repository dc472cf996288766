import type { RecordBatch, Schema } from "apache-arrow";
import type * as v from "valibot";

import type { AgnesError, Log, PluginErrors, Secret } from "../base/mod.ts";
import type { CsvOptions, FileChunk, FileFormat, FileReading, JsonValue } from "./batch.ts";
import type { Capability } from "./capability.ts";
import type { AnyConnector, Connector } from "./connector.ts";
import type { Http } from "./http/mod.ts";
import type { ExtensionSpec } from "./remote.ts";
import type { QueryParameter } from "./query-parameter.ts";

/** The kinds of secrets, in the order of the documentation. */
export const secretKinds = ["token", "basic", "oauth", "service_account"] as const;

/**
 * The kind of a secret. It describes the format of the value; it does not affect how the value is stored or passed.
 *
 * - `token`: one opaque value, such as an API token or an API key.
 * - `basic`: a password, or a user name and a password as `user:password`.
 * - `oauth`: an OAuth credential, such as a refresh token or a client secret.
 * - `service_account`: the key of a service account, usually a JSON document.
 */
export type SecretKind = (typeof secretKinds)[number];

/** A secret that a plugin uses. */
export interface SecretSpec {
  /** The purpose of the secret, and how a user obtains it, in one sentence. */
  readonly description: string;
  /** Whether the source requires the secret. Default: `false`. */
  readonly required?: boolean;
  /** The kind of value, for `agnes connector show`, forms and documentation. Default: `token`. */
  readonly kind?: SecretKind;
}

/** The schema of a plugin's options: a valibot object. */
export type OptionsSchema = v.GenericSchema<unknown, unknown>;

/**
 * The schema of the fields of a plugin's JSON queries; see `Plugin.sourceQuery`: a valibot `strictObject`, also in a `pipe`.
 */
export type SourceQuerySchema = v.GenericSchema<unknown, unknown>;

/** A file of a table to inspect. */
export interface FileInput {
  /** Absolute. */
  readonly path: string;
  /** The name of the file in errors. Default: the path. */
  readonly origin?: string;
  /** See `FileChunk.compression`. */
  readonly compression?: FileChunk["compression"];
  /** See `FileChunk.constants`. */
  readonly constants?: FileChunk["constants"];
}

/** Options for inspecting files. */
export interface InspectOptions {
  readonly format: FileFormat;
  /** The known part of the dialect, for `csv`. Default: detected from the files. */
  readonly csv?: CsvOptions;
  /** DuckDB types by column; a value that does not match its type is an error. Default: detected. */
  readonly types?: Readonly<Record<string, string>>;
  /** The type of numbers with a fraction and no exponent: `decimal` (default, exact) or `double`. */
  readonly fractions?: "decimal" | "double";
  /**
   * How much to inspect. `start` (default): for large tables only the start of each file; the read checks the rest.
   * `whole`: every value. `columns`: only the column names of the files, using the `known` reading.
   */
  readonly look?: "start" | "whole" | "columns";
  /** The previous reading of the table: its dialect is kept, and so are the types of columns that are now empty. */
  readonly known?: FileReading;
  /**
   * Whether to skip CSV records that are not valid rows and JSON values that are not objects, and report the first one
   * as `badRow`. Default: `false`, the error is thrown.
   */
  readonly skipBadRows?: boolean;
  /**
   * Whether a `known` column is only widened to types of the same kind: an integer to a decimal or a double, a date to a
   * timestamp. Values of another kind, which would change it to text, are then invalid. Default: `false`, the column is
   * widened to a type that holds every value. Only csv, json and ndjson.
   */
  readonly keepKinds?: boolean;
  readonly signal?: AbortSignal;
}

/** The result of inspecting files. */
export interface InspectedFiles {
  /** `null` if all files are empty. */
  readonly reading: FileReading | null;
  /** The columns of each file by path, none if it is empty; `null` if they are unknown without reading the whole file. */
  readonly columns: ReadonlyMap<string, readonly string[] | null>;
  /** The Arrow schema of the columns; without fields if `reading` is `null`. */
  readonly schema: Schema;
  /** With `skipBadRows`: the error for the first record that is not a valid row. Omitted: all records are valid. */
  readonly badRow?: AgnesError;
}

/** DuckDB for plugins that read files or databases with it. Each source has its own instance. */
export interface DuckDBEngine {
  /**
   * Returns the columns of a file as an Arrow schema; `data` of the chunk must be a path.
   *
   * @throws the errors of `inspect`
   */
  describe(chunk: FileChunk, options?: { readonly signal?: AbortSignal }): Promise<Schema>;
  /**
   * Determines how to read the files of one table: the dialect, the union of the columns of all files, and for each
   * column the narrowest type that represents every value of every file exactly.
   *
   * @throws `file_unreadable`, `bad_value` naming file and line, `invalid_input`; `file_reading_outdated` with
   *   `look: "columns"`, if a file has a column whose name was generated for another column
   */
  inspect(files: readonly FileInput[], options: InspectOptions): Promise<InspectedFiles>;
  /**
   * Runs one SELECT; `attach` maps names to DuckDB files to attach read-only. A column of a type that Arrow lacks is
   * returned as text, with the name of the DuckDB type in the field metadata under `duckdb.type`.
   *
   * `parameters` are the values of `$1`, `$2` … as a list, or of `$name` … by name. `batchRows` is the maximum number of
   * rows of a batch.
   *
   * With `directory`, the query runs in an instance of its own that can read this folder and nothing else, for files of
   * others: their views could read any file.
   *
   * @throws `duckdb_failed`, `duckdb_out_of_memory`, `file_unreadable`, `locked`, `disk_full`, `aborted`; also while batches
   *   are read
   */
  query(
    sql: string,
    options?: {
      readonly attach?: Readonly<Record<string, string>>;
      readonly directory?: string;
      readonly parameters?: readonly QueryParameter[] | Readonly<Record<string, QueryParameter>>;
      readonly signal?: AbortSignal;
      readonly batchRows?: number;
    },
  ): Promise<{ readonly schema: Schema; readonly batches: AsyncIterable<RecordBatch> }>;
}

/** The context passed to `connect`. */
export interface ConnectContext<Options, Secrets extends Readonly<Record<string, SecretSpec>>> {
  /** The name of the source in `agnes.yaml`. */
  readonly source: string;
  /** The validated options. */
  readonly options: Options;
  /** The secrets by the names in the plugin; optional ones may be missing. */
  readonly secrets: {
    readonly [Name in keyof Secrets]: Secrets[Name] extends { readonly required: true }
      ? Secret
      : Secret | undefined;
  };
  /** HTTP with retries, rate limit, timeouts and redacted logs. */
  readonly http: Http;
  /** DuckDB, for files and databases. */
  readonly duckdb: DuckDBEngine;
  /** Receives log messages; secrets of the source are redacted. */
  readonly log: Log;
  /**
   * Returns the `ReadResult.state` of the last published read of a table, by its name in the source, so that `discover` can
   * skip known data. `undefined` if the table is read from scratch, for example by `agnes sync --full`.
   */
  readonly published: (table: string) => Promise<JsonValue | undefined>;
  /** Returns the current time; use it instead of `Date.now`, so that tests can control it. */
  readonly now: () => Date;
  /**
   * Waits for milliseconds; use it instead of `setTimeout`, so that tests do not wait.
   *
   * @throws `aborted` if the signal aborts
   */
  readonly sleep: (durationMs: number, signal?: AbortSignal) => Promise<void>;
  /** Resolves a path from the options against the workspace. */
  readonly resolvePath: (path: string) => string;
  /** Absolute paths of the workspace's own files and folders, such as its stored tables, which a source must not read. */
  readonly ownPaths: readonly string[];
}

/** A plugin: name, options, secrets and capabilities of one kind of source, and how to connect to it. */
export interface Plugin<
  C extends Capability = Capability,
  S extends OptionsSchema = OptionsSchema,
  Secrets extends Readonly<Record<string, SecretSpec>> = Readonly<Record<string, SecretSpec>>,
> {
  /** The name, used as `plugin:` in `agnes.yaml`. */
  readonly name: string;
  /** The semantic version. */
  readonly version: string;
  /** A one-line description. */
  readonly description: string;
  /** The capabilities whose methods the connector has. */
  readonly capabilities: readonly C[];
  /** The valibot schema of the options; its descriptions are the documentation of the options. */
  readonly options: S;
  /** Secrets by name; each value is read from the environment variable of that name unless `agnes.yaml` configures another. */
  readonly secrets: Secrets;
  /**
   * Whether a source may name further secrets in `agnes.yaml`, such as those that a program needs. Each of them is required.
   * Default: `false`.
   */
  readonly takesAnySecret?: boolean;
  /** The timeout of `discover` in milliseconds. Default: 5 minutes. */
  readonly discoverTimeoutMs?: number;
  /**
   * How `sync` handles unregistered tables, unless `agnes.yaml` overrides it: `all` registers every discovered table,
   * `listed` ignores them, for sources with thousands of tables. Default: `all`.
   */
  readonly register?: "all" | "listed";
  /**
   * DuckDB extensions that `remote` uses, by name. Extensions from the community repository are installed and loaded
   * only if a plugin lists them here.
   */
  readonly extensions?: Readonly<Record<string, ExtensionSpec>>;
  /**
   * The fields that `source_query` of a materialized table may have for this plugin, besides `where_filters`, `columns` and
   * `limit`, which Agnes itself checks and applies: a valibot `strictObject` with names in snake_case. `v.strictObject({})`
   * if there are none. Its descriptions and examples (`v.examples`) are documentation.
   *
   * `source_query` is then a JSON object, and SQL text is rejected when the table is registered. `read` returns the rows of
   * the table and receives the fields as `ReadOptions.sourceQuery`. Needs the capability `read`, and excludes `query`, which
   * runs `source_query` as SQL. Default: not set; only a plugin with the capability `query` has materialized tables.
   *
   * @example
   * ```ts
   * import * as v from "valibot";
   * const sourceQuery = v.strictObject({
   *   archived: v.optional(v.pipe(v.boolean(), v.description("Whether to read archived records, too"))),
   * });
   * ```
   */
  readonly sourceQuery?: SourceQuerySchema;
  /** The error codes of the plugin; see `defineErrors`. Default: none. */
  readonly errors?: PluginErrors;
  /**
   * Returns what precedes the names of a source's tables in the SQL of that system, such as the project of BigQuery, so that
   * SQL may name a registered remote table `orders` as `namespace.orders` after FROM and JOIN. `undefined`: there is nothing.
   * Does no I/O. Default: not set.
   *
   * @example
   * ```ts
   * namespace: ({ project }) => project,
   * ```
   */
  namespace?(options: v.InferOutput<S>): string | undefined;
  /** Returns the connector of one source. May do I/O; importing the plugin must not. */
  connect(context: ConnectContext<v.InferOutput<S>, Secrets>): Connector<C> | Promise<Connector<C>>;
}

/** A plugin with unknown option and secret types, such as an element of a list of plugins; see `Plugin`. */
export interface AnyPlugin {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly capabilities: readonly Capability[];
  readonly options: OptionsSchema;
  readonly secrets: Readonly<Record<string, SecretSpec>>;
  readonly takesAnySecret?: boolean;
  readonly discoverTimeoutMs?: number;
  readonly register?: "all" | "listed";
  readonly extensions?: Readonly<Record<string, ExtensionSpec>>;
  readonly sourceQuery?: SourceQuerySchema;
  readonly errors?: PluginErrors;
  namespace?(options: never): string | undefined;
  // A method, so that a plugin with narrower options is an AnyPlugin; the registry checks them before it connects.
  connect(context: ConnectContext<never, never>): AnyConnector | Promise<AnyConnector>;
}

/**
 * Declares a plugin. Returns it unchanged; the types check that capabilities, options and secrets match.
 *
 * @throws nothing; `createAgnes` rejects an invalid plugin with `plugin_invalid`
 *
 * @example
 * ```ts
 * import { definePlugin, int64, table } from "agnes/kit";
 * import * as v from "valibot";
 *
 * export default definePlugin({
 *   name: "numbers", version: "1.0.0", description: "The first integers",
 *   capabilities: ["discover", "read"],
 *   options: v.strictObject({ count: v.optional(v.number(), 10) }),
 *   secrets: {},
 *   connect: ({ options }) => ({
 *     discover: async () => [table("numbers", { n: int64() })],
 *     async *read() {
 *       yield Array.from({ length: options.count }, (_, n) => ({ n }));
 *     },
 *   }),
 * });
 * ```
 */
export function definePlugin<
  const C extends Capability,
  const S extends OptionsSchema,
  const Secrets extends Readonly<Record<string, SecretSpec>>,
>(plugin: Plugin<C, S, Secrets>): Plugin<C, S, Secrets> {
  return plugin;
}
