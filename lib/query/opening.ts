import type { SourceJob } from "../kit/mod.ts";

/** The limits and callbacks for opening tables. */
export interface Opening {
  readonly signal: AbortSignal;
  /** The timeout for attaching one database. Default: that of the session. */
  readonly timeoutMs?: number;
  /**
   * Receives the id of the table whose source the query waits for; null after the wait.
   * @param what the kind of name. Default: `the remote table`
   */
  readonly onWait: (name: string | null, what?: string) => void;
  /** Whether it is for a part of a query, whose other parts may run at the same time. Default: false. */
  readonly isPart?: boolean;
  /** On whose behalf the sources are read; see `SourceQueryOptions.user`. */
  readonly user?: string | undefined;
  /** Receives the jobs of all sources. Default: they are not collected. */
  readonly onJob?: (job: SourceJob) => void;
}

/** The timeout for reopening tables that the current query does not need. */
export const REOPEN_TIMEOUT_MS = 1_000;

/** The access to a remote table. */
export type RemoteAccessMode = "attach" | "live";
