import type { Scan } from "./scan.ts";

/** All scans that feed one statement, from its binding to its end. */
export class Feed {
  readonly #scans: Scan[] = [];
  #changed: (() => void) | null = null;
  /** How often the statement names a source. */
  bound = 0;
  /** Whether several threads of DuckDB may be waiting for a scan at once. */
  parallel = false;
  /** Whether DuckDB's threads work on it. */
  running = false;
  /** When DuckDB last asked for rows. */
  lastAskedMs = 0;

  add(scan: Scan): void {
    this.#scans.push(scan);
    this.lastAskedMs = performance.now();
  }

  /** Whether no thread of DuckDB has come to it yet. */
  get unopened(): boolean {
    return this.running && this.#scans.length === 0;
  }

  /** Whether every source that is named was read to its end. More may be bound than ever open; then never. */
  get ended(): boolean {
    return this.#scans.length >= this.bound && this.#scans.every((scan) => scan.ended);
  }

  /** What a source threw, the first of them. */
  get failure(): { readonly error: unknown } | null {
    return this.#scans.find((scan) => scan.failure !== null)?.failure ?? null;
  }

  /** Rows DuckDB has taken from all sources. */
  get rowsTaken(): number {
    return this.#scans.reduce((sum, scan) => sum + scan.rowsTaken, 0);
  }

  /** Wakes `wait`. */
  readonly notify = (): void => this.#changed?.();

  /** Resolves after a while, or when a source changed. */
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
