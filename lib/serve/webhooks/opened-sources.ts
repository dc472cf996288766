import type { Host } from "../../base/mod.ts";
import type { SourceHandle } from "../../sources/mod.ts";

/** The time after which a source is opened again, so that changed credentials are noticed. */
const LIFE_MS = 10 * 60_000;

/** The time after a failure in which a source is not opened again, because anybody may send requests. */
const FAILURE_MS = 2_000;

interface Opened {
  readonly handle: Promise<SourceHandle>;
  readonly endMs: number;
  /** The calls that use it. */
  users: number;
  isDiscarded: boolean;
}

/** Keeps sources open between requests. Requests for one source at the same time share one attempt to open it. */
export class OpenedSources {
  readonly #open: (source: string) => Promise<SourceHandle>;
  readonly #host: Pick<Host, "monotonicMs">;
  readonly #opened = new Map<string, Opened>();
  readonly #closing = new Set<Promise<void>>();

  constructor(host: Pick<Host, "monotonicMs">, open: (source: string) => Promise<SourceHandle>) {
    this.#open = open;
    this.#host = host;
  }

  /** Calls `work` with the opened source. @throws the errors of opening it and of the work */
  async use<T>(source: string, work: (handle: SourceHandle) => Promise<T>): Promise<T> {
    const opened = this.#current(source);
    opened.users += 1;
    try {
      return await work(await opened.handle);
    } finally {
      opened.users -= 1;
      this.#closeUnused(opened);
    }
  }

  /** Closes all sources, after the calls that use them. */
  async close(): Promise<void> {
    for (const source of this.#opened.keys()) this.#discard(source);
    await Promise.all(this.#closing);
  }

  #current(source: string): Opened {
    const known = this.#opened.get(source);
    const nowMs = this.#host.monotonicMs();
    if (known !== undefined && nowMs < known.endMs) return known;
    this.#discard(source);
    const opened = { handle: this.#open(source), endMs: nowMs + LIFE_MS, users: 0, isDiscarded: false };
    this.#opened.set(source, opened);
    opened.handle.catch(() => {
      opened.endMs = this.#host.monotonicMs() + FAILURE_MS;
    });
    return opened;
  }

  #discard(source: string): void {
    const opened = this.#opened.get(source);
    if (opened === undefined) return;
    this.#opened.delete(source);
    opened.isDiscarded = true;
    this.#closeUnused(opened);
  }

  #closeUnused(opened: Opened): void {
    if (!opened.isDiscarded || opened.users > 0) return;
    const closing = opened.handle
      .then((handle) => handle.close())
      .catch(() => {})
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
