import type { Scan } from "./scan.ts";

/** All scans that feed one statement, from its binding to its end. */
export class Feed {
  readonly #scans: Scan[] = [];
  #changed: (() => void) | null = null;
  /** The number of source references in the statement. */
  bound = 0;
  /** Whether several DuckDB threads may wait for a scan at once. */
  parallel = false;
  /** Whether DuckDB's threads run the statement. */
  running = false;
  /** The time of DuckDB's last request for rows. */
  lastRequestMs = 0;

  add(scan: Scan): void {
    this.#scans.push(scan);
    this.lastRequestMs = performance.now();
  }

  /** Whether no DuckDB thread has started the statement yet. */
  get unopened(): boolean {
    return this.running && this.#scans.length === 0;
  }

  /** Whether all referenced sources were read to the end. Never true if DuckDB does not open all of them. */
  get ended(): boolean {
    return this.#scans.length >= this.bound && this.#scans.every((scan) => scan.ended);
  }

  /** The first error of a source. */
  get failure(): { readonly error: unknown } | null {
    return this.#scans.find((scan) => scan.failure !== null)?.failure ?? null;
  }

  /** The number of rows that DuckDB has read from all sources. */
  get rowsTaken(): number {
    return this.#scans.reduce((sum, scan) => sum + scan.rowsTaken, 0);
  }

  /** Wakes `wait`. */
  readonly notify = (): void => this.#changed?.();

  /** Resolves after the duration or after a change of a source. */
  async wait(durationMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#changed = resolve;
      timer = setTimeout(resolve, durationMs);
    });
    clearTimeout(timer);
    this.#changed = null;
  }

  async close(): Promise<void> {
    await Promise.all(this.#scans.map((scan) => scan.close()));
  }
}
