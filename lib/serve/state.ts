import { createHost, type Host } from "../base/mod.ts";
import { SignIn } from "./auth/sign-in.ts";
import { Metrics } from "./metrics/metrics.ts";
import { QueryHistory } from "./query/history.ts";

/** The parts of a `ServerState`. */
interface StateParts {
  readonly signIn: SignIn;
  readonly queries: QueryHistory;
  readonly metrics: Metrics;
  /** Aborts when event streams must end. */
  readonly ending: AbortController;
}

const parts = new WeakMap<ServerState, StateParts>();

/**
 * What a server keeps in memory: the sessions and login codes, the queries of the last minutes, and the metrics. A
 * workspace that is opened again continues with the state of the one before it. A restart ends it.
 *
 * @example
 * ```ts
 * import { createAgnes, ServerState } from "agnes";
 * const state = new ServerState();
 * await using agnes = await createAgnes({ plugins: [], server: { state } });
 * console.log(`http://127.0.0.1:8080/login?code=${state.createLoginCode()}`); // signs an administrator in, once
 * ```
 */
export class ServerState {
  constructor(host: Pick<Host, "monotonicMs"> = createHost()) {
    parts.set(this, {
      signIn: new SignIn(host),
      queries: new QueryHistory(),
      metrics: new Metrics(),
      ending: new AbortController(),
    });
  }

  /** Creates a code for `/login?code=…`. It signs an administrator in once, within ten minutes. */
  createLoginCode(): string {
    return partsOf(this).signIn.createCode();
  }

  /**
   * Ends all event streams with the last state, also those that begin later. A server that ends calls it before it waits for
   * its requests, because a stream is open as long as its run.
   *
   * @example
   * ```ts
   * import { ServerState } from "agnes";
   * const state = new ServerState();
   * process.once("SIGTERM", () => state.endStreams());
   * ```
   */
  endStreams(): void {
    partsOf(this).ending.abort();
  }
}

/** Returns the parts of a state, which are not public. */
export function partsOf(state: ServerState): StateParts {
  return parts.get(state)!;
}
