import type { Host } from "../../base/mod.ts";
import type { PushRequest, Row, TableInfo } from "../../kit/mod.ts";
import type { ContractException } from "../case.ts";
import type { FakeServer } from "../fakes/fake-server.ts";

/** What the contract suite needs to know beside the plugin. */
export interface ContractConfig {
  /** The options, as they stand in `agnes.yaml`. Default: none. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The values of the plugin's secrets, by its names for them. No error and no log line may hold them. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The folder where relative paths start. Default: the working directory. */
  readonly directory?: string;
  /** Parts of the outside world to replace. */
  readonly host?: Partial<Host>;
  /** The fake API that the connector talks to; with it, the suite also injects faults. */
  readonly server?: FakeServer;
  /**
   * The tables to read, by name. Default: all that `discover` lists. A plugin without `discover` needs them named or
   * described; a table that is only named has no key and no cursor, and the columns of its first rows, as in a sync.
   * The suite reads each table about twenty times: name small ones, or set `rowsMax`.
   */
  readonly tables?: readonly (string | TableInfo)[];
  /**
   * The most rows to read of a table. The cases that need all rows leave larger tables out and report it in their
   * remark. Default: no limit.
   */
  readonly rowsMax?: number;
  /** How long one case may take, in milliseconds; then it fails. Default: one minute. */
  readonly timeoutMs?: number;
  /** Stops the case that is running. */
  readonly signal?: AbortSignal;
  /** Is called when a case begins, and for each batch that it reads. */
  readonly onProgress?: (progress: CaseProgress) => void;
  /** SQL that the source can answer. Default `SELECT 1 AS one`. */
  readonly query?: string;
  /** A genuine pushed request and requests that must be refused, for `stream`. */
  readonly push?: { readonly genuine: PushRequest; readonly forged?: readonly PushRequest[] };
  /** Rows that may be written, for `write`. Without it nothing is ever written. */
  readonly write?: {
    readonly table: string;
    readonly rows: readonly Row[];
    readonly mode?: "append" | "upsert" | "replace";
  };
  /** Cases that are known not to hold. A case that holds, or that does not exist, may not stand here. */
  readonly exceptions?: readonly ContractException[];
}

/** What a case of the contract suite is doing. */
export interface CaseProgress {
  /** The name of the case. */
  readonly case: string;
  /** The table that it reads now, and how many rows of it came so far. Absent before its first read. */
  readonly table?: string;
  readonly rows?: number;
}
