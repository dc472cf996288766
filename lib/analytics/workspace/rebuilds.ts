import { messageOf, type Log } from "../../base/mod.ts";

/** Rebuilds between the sources of a sync: one at a time. Requests during a rebuild are combined. */
export class Rebuilds {
  readonly #rebuild: () => Promise<unknown>;
  readonly #log: Log;
  #running: Promise<void> | null = null;
  #isWanted = false;

  constructor(rebuild: () => Promise<unknown>, log: Log) {
    this.#rebuild = rebuild;
    this.#log = log;
  }

  /** Schedules a rebuild of the published data without waiting for it. */
  request(): void {
    this.#isWanted = true;
    this.#running ??= this.#run();
  }

  /** Waits for the running rebuild. Later requests are left to the caller. */
  async settle(): Promise<void> {
    this.#isWanted = false;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      try {
        await this.#rebuild();
      } catch (error) {
        // The rebuild at the end of the sync retries, and its failure fails the sync.
        const reason = messageOf(error);
        this.#log.warn("cannot publish new data before all sources finish", { reason });
      }
    }
    this.#running = null;
  }
}
