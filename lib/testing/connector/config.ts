import type { Host } from "../../base/mod.ts";
import type { ColumnToDescribe, JsonValue, PushRequest, Row, TableInfo, WriteMode } from "../../kit/mod.ts";
import type { ContractException } from "../case.ts";
import type { FakeServer } from "../fakes/fake-server.ts";

/** The configuration of the contract suite. */
export interface ContractConfig {
  /** The options, as in `agnes.yaml`. Default: none. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The values of the plugin's secrets, by name. No error and no log entry may contain them. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The base of relative paths. Default: the working directory. */
  readonly directory?: string;
  /** Parts of the host to replace. */
  readonly host?: Partial<Host>;
  /** The fake API that the connector uses; with it, the suite also injects faults. */
  readonly server?: FakeServer;
  /**
   * The tables to read, by name. Default: all tables of `discover`. Required, as names or descriptions, for a plugin
   * without `discover`; a table with only a name has no key, no cursor, and the columns of its first rows, as in a sync.
   * The suite reads each table about twenty times: choose small ones, or set `maxRows`.
   */
  readonly tables?: readonly (string | TableInfo)[];
  /**
   * The maximum number of rows to read from a table. Cases that need all rows skip larger tables and report it in their
   * remark. Default: no limit.
   */
  readonly maxRows?: number;
  /** The timeout of one case in milliseconds. Default: one minute. */
  readonly timeoutMs?: number;
  /** Stops the running case. */
  readonly signal?: AbortSignal;
  /** Called when a case begins, and for each batch that it reads. */
  readonly onProgress?: (progress: CaseProgress) => void;
  /** SQL that the source can run. Default: `SELECT 1 AS one`. */
  readonly query?: string;
  /**
   * SQL that returns the values of its named parameters as one row, in the dialect of the source, with all or some of
   * these: `SELECT $text AS text, $whole AS whole, $big AS big, $fraction AS fraction, $flag AS flag, $moment AS moment,
   * $nothing AS nothing`. Default: parameters are not tested.
   */
  readonly parameterQuery?: string;
  /**
   * SQL that returns the values of the array parameter `keys` as the rows of a column `value`, in the dialect of the source:
   * `SELECT unnest($keys) AS value`. Default: arrays are not tested.
   */
  readonly arrayQuery?: string;
  /** JSON queries of tables, for a plugin that declares `sourceQuery`. Default: only its limits are tested. */
  readonly sourceQuery?: SourceQuerySample | readonly SourceQuerySample[];
  /** An authentic pushed request and requests that must be rejected, for `stream`. */
  readonly push?: { readonly genuine: PushRequest; readonly forged?: readonly PushRequest[] };
  /**
   * Deletes one row of a table with a cursor in the source, and returns the table and the primary key. The next read with
   * a cursor must then yield the deletion. Only for sources that report deletions.
   */
  readonly deletion?: () => Promise<{ readonly table: string; readonly key: Row }>;
  /** Rows to write, for `write`; a list tests several tables or modes. Without it nothing is written. */
  readonly write?: WriteSample | readonly WriteSample[];
  /**
   * Descriptions and types of columns to write to a table, for `writeMetadata`. They stay there. Types are named as DuckDB
   * names them. Without it no metadata is written.
   */
  readonly writeMetadata?: { readonly table: string; readonly columns: readonly ColumnToDescribe[] };
  /** Cases that are known to fail. A case that passes or does not exist is an error. */
  readonly exceptions?: readonly ContractException[];
}

/** A JSON query of one of the tables that the suite reads. */
export interface SourceQuerySample {
  readonly table: string;
  /** The fields that `Plugin.sourceQuery` declares. Its rows must not change during the suite. */
  readonly fields: Readonly<Record<string, JsonValue>>;
}

/** Rows that a connector can write to one of its tables. They stay there. */
export interface WriteSample {
  readonly table: string;
  /** With values that are easily changed: quotes, line ends, large numbers, nulls. With a primary key, each occurs once. */
  readonly rows: readonly Row[];
  /** Default: `append`. */
  readonly mode?: WriteMode;
}

/** The progress of a case of the contract suite. */
export interface CaseProgress {
  /** The name of the case. */
  readonly case: string;
  /** The table that is being read. Not set before the first read. */
  readonly table?: string;
  /** The number of rows of `table` read so far. */
  readonly rows?: number;
}
