import type { Agnes } from "../../lib/agnes.ts";
import type { Log } from "../../lib/base/mod.ts";
import type { RequestInfo } from "../../lib/serve/mod.ts";

/** How long requests of an earlier configuration may run after a reload. */
const RETIRED_MAX_MS = 600_000;
const POLL_MS = 250;

/** The workspace of the server, which is opened again when its configuration changes. */
export class ReloadedWorkspace {
  readonly #open: () => Promise<Agnes>;
  readonly #log: Log;
  #current: Agnes;
  /** Earlier workspaces, with the time when they are closed. */
  readonly #retired = new Map<Agnes, Promise<void>>();
  #reload: Promise<void> = Promise.resolve();
  readonly #isIdle: () => boolean;
  #isClosed = false;

  /** @param isIdle whether no request runs, so that earlier workspaces can be closed */
  constructor(first: Agnes, open: () => Promise<Agnes>, options: { readonly log: Log; isIdle(): boolean }) {
    this.#current = first;
    this.#open = open;
    this.#log = options.log;
    this.#isIdle = () => options.isIdle();
  }

  fetch(request: Request, info: RequestInfo): Promise<Response> {
    return this.#current.fetch(request, info);
  }

  /** Opens the workspace again; if that fails, the current one stays. Never throws. */
  reload(): Promise<void> {
    this.#reload = this.#reload.then(() => this.#replace());
    return this.#reload;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reload;
    await Promise.all([this.#current.close(), ...this.#retired.values()]);
  }

  async #replace(): Promise<void> {
    if (this.#isClosed) return;
    let next: Agnes;
    try {
      next = await this.#open();
    } catch (error) {
      this.#log.error("agnes.yaml was not reloaded; the server continues with the earlier configuration", {
        error,
      });
      return;
    }
    const earlier = this.#current;
    this.#current = next;
    this.#retired.set(earlier, this.#retire(earlier));
    this.#log.info("reloaded agnes.yaml");
  }

  /** Closes a workspace when its requests have ended: at the latest when no request at all runs, or after a time. */
  async #retire(workspace: Agnes): Promise<void> {
    const endMs = performance.now() + RETIRED_MAX_MS;
    while (!this.#isClosed && performance.now() < endMs && !this.#isIdle()) await Bun.sleep(POLL_MS);
    await workspace.close();
    this.#retired.delete(workspace);
  }
}
