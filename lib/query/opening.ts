/** What opening the way to tables is bound by. */
export interface Opening {
  readonly signal: AbortSignal;
  /** How long attaching one database may take. Default: that of the session. */
  readonly timeoutMs?: number;
  /** Receives the id of the table whose source is waited for; null when it is not any more. */
  readonly onWait: (table: string | null) => void;
}

/** How long opening again what the query at hand does not need may take. */
export const REOPEN_TIMEOUT_MS = 1_000;

/** How the rows of a remote table come. */
export type RemoteAccessMode = "attach" | "live";
