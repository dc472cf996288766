import type { Authorize } from "./auth/authorize.ts";
import type { ServerState } from "./state.ts";

/** The options of the HTTP API that are not in `agnes.yaml`. */
export interface ServerOptions {
  /** Hides tables from principals. Default: their grants alone apply. */
  readonly authorize?: Authorize;
  /** The state of the server, for login links, or to keep it when a workspace is opened again. Default: a new one. */
  readonly state?: ServerState;
}
