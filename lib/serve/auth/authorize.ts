import type { Principal } from "./principal.ts";
import type { SignIn } from "./sign-in.ts";

/** A published table, for `Authorize`. */
export interface AuthorizedTable {
  /** `source.table`. */
  readonly id: string;
  readonly source: string;
  /** Its folder, from its registration or the folder mapping; null: none. */
  readonly folder: string | null;
}

/**
 * Decides whether a principal may access a table, in addition to its grants; also for administrators. Called for all
 * granted tables at each request, at the same time, and not cached, so it must be fast. Only `true` allows; an error fails
 * the request.
 */
export type Authorize = (principal: Principal, table: AuthorizedTable) => boolean | Promise<boolean>;

/** The options of the HTTP API that are not in `agnes.yaml`. */
export interface ServerOptions {
  /** Hides tables from principals. Default: their grants alone apply. */
  readonly authorize?: Authorize;
  /** The sessions of the server, for login links, or to keep them when a workspace is opened again. Default: new ones. */
  readonly signIn?: SignIn;
}
