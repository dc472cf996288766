import type { Host, Log } from "../base/mod.ts";
import type { ServerConfig } from "../workspace/mod.ts";
import type { Principal } from "./auth/principal.ts";
import type { SignIn } from "./auth/sign-in.ts";
import type { Tokens } from "./auth/tokens.ts";
import type { Manifests } from "./distribution/manifests.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { SyncRequests } from "./runs/sync-requests.ts";
import type { QueryHistory } from "./query/history.ts";
import type { WebhookReceiver } from "./webhooks/receiver.ts";
import type { ServedWorkspace } from "./workspace.ts";

/** What the routes work with. */
export interface ServeServices {
  readonly host: Host;
  readonly log: Log;
  /** `server:` of `agnes.yaml`, with its defaults. */
  readonly config: ServerConfig;
  readonly workspace: ServedWorkspace;
  /** The folders that no response shows; see `hidePaths`. */
  readonly folders: readonly string[];
  readonly signIn: SignIn;
  readonly queries: QueryHistory;
  readonly metrics: Metrics;
  readonly webhooks: WebhookReceiver;
  readonly syncs: SyncRequests;
  /** Aborts when event streams must end. */
  readonly ending: AbortSignal;
  /** Keeps the workspace open until work has ended, for a second at most. */
  readonly track: <T>(work: Promise<T>) => Promise<T>;
  readonly manifests: Manifests;
  tokens(): Promise<Tokens>;
  /**
   * Finds out who makes a request.
   * @param address the address of the client; null: unknown
   * @throws `token_missing`, `token_invalid`, `session_expired`, `sign_in_limited`
   */
  authenticate(request: Request, address: string | null): Promise<Principal>;
  /** Returns the ids of the tables that a principal may access, for `AccessOptions.access`; null: all. */
  accessOf(principal: Principal): Promise<ReadonlySet<string> | null>;
}
