import type { RecordBatch, Schema } from "apache-arrow";
import type * as v from "valibot";

import type { AgnesError, Log, Secret } from "../base/mod.ts";
import type { CsvOptions, FileChunk, FileFormat, FileReading, JsonValue } from "./batch.ts";
import type { Capability } from "./capability.ts";
import type { AnyConnector, Connector } from "./connector.ts";
import type { Http } from "./http/mod.ts";
import type { ExtensionSpec } from "./remote.ts";

/**
 * The kinds of secrets, in the order of the documentation. A kind states what the value looks like; it changes nothing in
 * how the value is kept or handed over.
 *
 * - `token`: one opaque value, such as an API token or an API key.
 * - `basic`: a password, or a user name and a password as `user:password`.
 * - `oauth`: what an OAuth sign-in gives, such as a refresh token or a client secret.
 * - `service_account`: the key of a service account, usually a JSON document.
 *
 * @example
 * ```ts
 * import { secretKinds } from "agnes/kit";
 * secretKinds[0]; // "token"
 * ```
 */
export const secretKinds = ["token", "basic", "oauth", "service_account"] as const;

/** What the value of a secret is; see `secretKinds`. */
export type SecretKind = (typeof secretKinds)[number];

/** A secret that a plugin asks for. */
export interface SecretSpec {
  readonly description: string;
  /** Whether the source cannot work without it. Default `false`. */
  readonly required?: boolean;
  /** What the value is, for `agnes connector show`, forms and documentation. Default `token`. */
  readonly kind?: SecretKind;
}

/** The schema of a plugin's options: a valibot object. */
export type OptionsSchema = v.GenericSchema<unknown, unknown>;

/** A file of a table that is to be looked at. */
export interface FileInput {
  /** Absolute. */
  readonly path: string;
  /** What errors call it. Default: the path. */
  readonly origin?: string;
  readonly compression?: FileChunk["compression"];
  readonly constants?: FileChunk["constants"];
}

/** What is known before files are looked at. */
export interface InspectOptions {
  readonly format: FileFormat;
  /** For `csv`. */
  readonly csv?: CsvOptions;
  /** DuckDB types by column; a value that does not fit is an error then. */
  readonly types?: Readonly<Record<string, string>>;
  /** How numbers with a fraction and no exponent are read: `decimal` (default) keeps them exact, or `double`. */
  readonly fractions?: "decimal" | "double";
  /**
   * How much is looked at. `start` (default): of large tables the start of each file, which the read then checks;
   * `whole`: every value; `columns`: only which columns the files have, by the `known` reading.
   */
  readonly look?: "start" | "whole" | "columns";
  /** How the table was read before: its dialect stays, and so do the types of columns that are empty now. */
  readonly known?: FileReading;
  /**
   * Whether records of CSV that are no rows, and values of JSON that stand in the place of an object, are left out of
   * the look and the first is reported as `badRow`. Default `false`: it is thrown.
   */
  readonly skipBadRows?: boolean;
  /**
   * Whether a `known` column takes the widest type of its own kind that its values need: a whole number becomes a decimal
   * or a double, a date a timestamp. Values of another kind, which would make it text, then do not fit. Default `false`:
   * its type becomes one that holds every value. Only csv, json and ndjson.
   */
  readonly keepKinds?: boolean;
  readonly signal?: AbortSignal;
}

/** What a look at files found. */
export interface InspectedFiles {
  /** `null` when no file holds anything. */
  readonly reading: FileReading | null;
  /** By path: the columns of the file, none when it is empty; `null` where only reading all of it would tell. */
  readonly columns: ReadonlyMap<string, readonly string[] | null>;
  /** The Arrow schema of the columns; without fields when there is no reading. */
  readonly schema: Schema;
  /** With `skipBadRows`: the error about the first record that is no row. Default: every record is one. */
  readonly badRow?: AgnesError;
}

/** DuckDB, for plugins whose source is a file or a database that DuckDB reads. Private to the source. */
export interface DuckDBEngine {
  /** The columns that a file would give; see `inspect`. */
  describe(chunk: FileChunk, options?: { readonly signal?: AbortSignal }): Promise<Schema>;
  /**
   * Decides how the files of one table are read: the dialect, the columns of all files together, and for each the
   * narrowest type from which every value of every file reads back as it was written.
   *
   * @throws `file_unreadable`, `bad_value` naming file and line, `invalid_input`; `file_reading_outdated` with
   *   `look: "columns"`, when a file has a column whose name was made for another one
   */
  inspect(files: readonly FileInput[], options: InspectOptions): Promise<InspectedFiles>;
  /**
   * Runs one SELECT; `attach` maps names to DuckDB files that are attached read-only for it. A column whose type Arrow
   * does not have comes as text, and its field has the name of that type in its metadata, under `duckdb.type`.
   */
  query(
    sql: string,
    options?: {
      readonly attach?: Readonly<Record<string, string>>;
      readonly parameters?: readonly (string | number | bigint | boolean | null)[];
      readonly signal?: AbortSignal;
      readonly batchRows?: number;
    },
  ): Promise<{ readonly schema: Schema; readonly batches: AsyncIterable<RecordBatch> }>;
}

/** What `connect` is given. */
export interface ConnectContext<Options, Secrets extends Readonly<Record<string, SecretSpec>>> {
  /** The name of the source in `agnes.yaml`. */
  readonly source: string;
  /** The checked options. */
  readonly options: Options;
  /** The secrets by the plugin's names; those that are not required may be absent. */
  readonly secrets: {
    readonly [Name in keyof Secrets]: Secrets[Name] extends { readonly required: true }
      ? Secret
      : Secret | undefined;
  };
  /** HTTP with retries, rate limit, timeouts and redacted logs. */
  readonly http: Http;
  /** DuckDB, for files and databases. */
  readonly duckdb: DuckDBEngine;
  readonly log: Log;
  /**
   * What the last published read of a table returned as `ReadEnd.state`, by the source's own name of the table; for a
   * `discover` that need not look at what it knows. `undefined` for a table that is read from scratch, as `agnes sync
   * --full` does: nothing of an earlier read then decides how.
   */
  readonly published: (table: string) => Promise<JsonValue | undefined>;
  /** The current time; use it instead of `Date.now`, so that tests can set it. */
  readonly now: () => Date;
  /** Waits, in milliseconds; use it instead of `setTimeout`, so that tests need not wait. Throws `aborted` when the signal fires. */
  readonly sleep: (durationMs: number, signal?: AbortSignal) => Promise<void>;
  /** Makes a path of the options absolute: relative ones start at the workspace. */
  readonly resolvePath: (path: string) => string;
}

/** A plugin: what one kind of source is called, needs and can do, and how to connect to it. */
export interface Plugin<
  C extends Capability = Capability,
  S extends OptionsSchema = OptionsSchema,
  Secrets extends Readonly<Record<string, SecretSpec>> = Readonly<Record<string, SecretSpec>>,
> {
  readonly name: string;
  /** Semantic version. */
  readonly version: string;
  /** One line for lists. */
  readonly description: string;
  readonly capabilities: readonly C[];
  readonly options: S;
  /** Secrets by name; the value comes from the environment variable of that name unless `agnes.yaml` names another. */
  readonly secrets: Secrets;
  /**
   * What `sync` does with tables nobody registered, unless `agnes.yaml` says so itself: `all` registers every table
   * it discovers, `listed` leaves them, for sources with thousands of tables. Default `all`.
   */
  readonly register?: "all" | "listed";
  /**
   * DuckDB extensions that `remote` attaches with, by name. One of the community repository is installed and loaded
   * only when a plugin names it here.
   */
  readonly extensions?: Readonly<Record<string, ExtensionSpec>>;
  connect(context: ConnectContext<v.InferOutput<S>, Secrets>): Connector<C> | Promise<Connector<C>>;
}

/** A plugin of which only the shape is known. */
export interface AnyPlugin {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly capabilities: readonly Capability[];
  readonly options: OptionsSchema;
  readonly secrets: Readonly<Record<string, SecretSpec>>;
  readonly register?: "all" | "listed";
  readonly extensions?: Readonly<Record<string, ExtensionSpec>>;
  // A method, so that a plugin with narrower options is an AnyPlugin; the registry checks them before it connects.
  connect(context: ConnectContext<never, never>): AnyConnector | Promise<AnyConnector>;
}

/**
 * Declares a plugin. Returns it unchanged; the types hold capabilities, options and secrets together.
 *
 * @example
 * ```ts
 * import { definePlugin, int64, table } from "agnes/kit";
 * import * as v from "valibot";
 *
 * export default definePlugin({
 *   name: "numbers", version: "1.0.0", description: "The first whole numbers",
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
