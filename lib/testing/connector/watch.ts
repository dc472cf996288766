import { AgnesError, counted, raceAbort, startTimer } from "../../base/mod.ts";
import type { CaseProgress } from "./config.ts";

/** The default timeout of a case. */
const CASE_TIMEOUT_MS = 60_000;

/** Tracks the reads and the timeout of one case. */
export class CaseWatch {
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #controller = new AbortController();
  readonly #onProgress: ((progress: CaseProgress) => void) | undefined;
  /** The current reads and their row counts. */
  readonly #reads = new Map<number, { readonly table: string; rows: number }>();
  #count = 0;

  constructor(
    name: string,
    options: {
      readonly timeoutMs?: number | undefined;
      readonly onProgress?: ((progress: CaseProgress) => void) | undefined;
    },
  ) {
    this.#name = name;
    this.#timeoutMs = options.timeoutMs ?? CASE_TIMEOUT_MS;
    this.#onProgress = options.onProgress;
  }

  /** Aborts when the case must stop. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for the case until its timeout; a case that does not stop is abandoned. */
  async run<T>(work: () => Promise<T>, outer?: AbortSignal): Promise<T> {
    this.#onProgress?.({ case: this.#name });
    const end = (error: Error) => this.#controller.abort(error);
    const stopTimer = startTimer(this.#timeoutMs, () => end(new Error(this.#late())));
    const abort = () => end(new AgnesError("aborted", { what: "the contract suite" }));
    if (outer?.aborted === true) abort();
    outer?.addEventListener("abort", abort, { once: true });
    const { signal } = this;
    try {
      return await raceAbort(work(), signal, () => signal.reason as Error);
    } finally {
      stopTimer();
      outer?.removeEventListener("abort", abort);
    }
  }

  /** Registers a read; call the result for each batch, and `end` at the end. */
  read(table: string): { took(rows: number): void; end(): void } {
    const number = (this.#count += 1);
    const state = { table, rows: 0 };
    this.#reads.set(number, state);
    return {
      took: (rows) => {
        state.rows += rows;
        this.#onProgress?.({ case: this.#name, ...state });
      },
      end: () => void this.#reads.delete(number),
    };
  }

  #late(): string {
    const seconds = this.#timeoutMs / 1000;
    const reads = [...this.#reads.values()].map(
      ({ table, rows }) => `the read of ${table} has yielded ${counted(rows, "row")} and not ended`,
    );
    return [`the case did not finish within ${seconds} s`, ...new Set(reads)].join("; ");
  }
}
