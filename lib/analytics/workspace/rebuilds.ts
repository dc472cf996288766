import { messageOf, type Log } from "../../base/mod.ts";

/** Rebuilds between the sources of a sync: one at a time, and those asked for meanwhile become one. */
export class Rebuilds {
  readonly #rebuild: () => Promise<unknown>;
  readonly #log: Log;
  #running: Promise<void> | null = null;
  #isWanted = false;

  constructor(rebuild: () => Promise<unknown>, log: Log) {
    this.#rebuild = rebuild;
    this.#log = log;
  }

  /** Sees to it that what is published now is shown soon; does not wait for it. */
  request(): void {
    this.#isWanted = true;
    this.#running ??= this.#run();
  }

  /** Waits for the rebuild that is under way; what was asked for after it began is left to the caller. */
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
        // The rebuild at the end of the sync tries again, and its failure is the one of the sync.
        const reason = messageOf(error);
        this.#log.warn("what is new could not be shown before all sources are done", { reason });
      }
    }
    this.#running = null;
  }
}
