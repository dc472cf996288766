import type { Host } from "../../base/mod.ts";
import type { Capability, PushRequest, Row } from "../../kit/mod.ts";
import type { ContractException } from "../case.ts";
import type { FakeServer } from "../fakes/fake-server.ts";
import type { Session } from "./session.ts";

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
  /** The tables to read. Default: all; name small ones when the source is big, for the suite reads each several times. */
  readonly tables?: readonly string[];
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

/** A promise that is put to the test against a connected source. */
export interface SourceCase {
  readonly name: string;
  readonly needs: readonly Capability[];
  /** Whether the promise arises with what the configuration gives. Default: always. */
  readonly when?: (config: ContractConfig) => boolean;
  readonly run: (session: Session) => Promise<string | void>;
}
