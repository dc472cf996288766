import type { Principal } from "./principal.ts";

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
