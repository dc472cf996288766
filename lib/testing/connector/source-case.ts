import type { AnyPlugin, Capability } from "../../kit/mod.ts";
import type { ContractConfig } from "./config.ts";
import type { Session } from "./session.ts";

/** A case that runs on a connected source. */
export interface SourceCase {
  readonly name: string;
  readonly needs: readonly Capability[];
  /** Whether the case applies to the configuration and the plugin. Default: always. */
  readonly when?: (config: ContractConfig, plugin: AnyPlugin) => boolean;
  /** Whether it needs tables, from `discover` or the configuration. Default: `false`. */
  readonly needsTables?: boolean;
  readonly run: (session: Session) => Promise<string | void>;
}
