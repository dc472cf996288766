import type { Agnes } from "../../lib/agnes.ts";
import { raceAbort, type Log } from "../../lib/base/mod.ts";
import { partsOf, type RequestInfo, type ServerState } from "../../lib/serve/mod.ts";

/** How long requests of an earlier configuration may run after a reload. */
const RETIRED_MAX_MS = 600_000;

/** The workspace of the server, which is opened again when its configuration changes. */
export class ReloadedWorkspace {
  readonly #open: () => Promise<Agnes>;
  readonly #log: Log;
  readonly #state: ServerState;
  #current: Opened;
  /** Earlier workspaces, with the time when they are closed. */
  readonly #retired = new Set<Promise<void>>();
  #reload: Promise<void> = Promise.resolve();
  #isQueued = false;
  readonly #closing = new AbortController();

  /** @param options.state that of each workspace */
  constructor(
    first: Agnes,
    open: () => Promise<Agnes>,
    options: { readonly log: Log; readonly state: ServerState },
  ) {
    this.#current = new Opened(first);
    this.#open = open;
    this.#log = options.log;
    this.#state = options.state;
  }

  fetch(request: Request, info: RequestInfo): Promise<Response> {
    return this.#current.fetch(request, info);
  }

  /** Opens the workspace again; if that fails, the current one stays. Never throws. */
  reload(): Promise<void> {
    // A reload that has not begun reads what changed until then.
    if (this.#isQueued) return this.#reload;
    this.#isQueued = true;
    this.#reload = this.#reload.then(() => this.#replace());
    return this.#reload;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#reload;
    await Promise.all([this.#current.agnes.close(), ...this.#retired]);
  }

  async #replace(): Promise<void> {
    this.#isQueued = false;
    if (this.#closing.signal.aborted) return;
    let next: Agnes;
    try {
      next = await this.#open();
    } catch (error) {
      this.#log.error("agnes.yaml was not reloaded; the server continues with the earlier configuration", {
        error,
      });
      return;
    }
    const retiring = this.#retire(this.#current).finally(() => this.#retired.delete(retiring));
    this.#retired.add(retiring);
    this.#current = new Opened(next);
    this.#log.info("reloaded agnes.yaml");
  }

  /** Closes a workspace when its requests have ended, or after a time. */
  async #retire(opened: Opened): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(RETIRED_MAX_MS)]);
    try {
      await raceAbort(opened.agnes.stopScheduler(), signal, "waiting for syncs");
      await opened.handled(signal);
      // Only queries continue after their response has started.
      await partsOf(this.#state).queries.drained(signal);
    } catch {
      // It closes now.
    }
    try {
      await opened.agnes.close();
    } catch (error) {
      this.#log.error("an earlier configuration was not closed", { error });
    }
  }
}

/** A workspace, and the requests that it handles. */
class Opened {
  readonly agnes: Agnes;
  readonly #requests = new Set<Promise<Response>>();

  constructor(agnes: Agnes) {
    this.agnes = agnes;
  }

  fetch(request: Request, info: RequestInfo): Promise<Response> {
    const response = this.agnes.fetch(request, info).finally(() => this.#requests.delete(response));
    this.#requests.add(response);
    return response;
  }

  /** Waits for the responses of all requests so far. @throws `aborted` */
  async handled(signal: AbortSignal): Promise<void> {
    await raceAbort(Promise.allSettled(this.#requests), signal, "waiting for requests");
  }
}
