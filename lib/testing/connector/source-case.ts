import type { Capability } from "../../kit/mod.ts";
import type { ContractConfig } from "./config.ts";
import type { Session } from "./session.ts";

/** A promise that is put to the test against a connected source. */
export interface SourceCase {
  readonly name: string;
  readonly needs: readonly Capability[];
  /** Whether the promise arises with what the configuration gives. Default: always. */
  readonly when?: (config: ContractConfig) => boolean;
  /** Whether it works on tables, which `discover` lists or the configuration describes. Default `false`. */
  readonly needsTables?: boolean;
  readonly run: (session: Session) => Promise<string | void>;
}
