import { AgnesError, counted, raceAbort, startTimer } from "../../base/mod.ts";
import type { CaseProgress } from "./config.ts";

/** How long a case may take unless the configuration says otherwise. */
const CASE_TIMEOUT_MS = 60_000;

/** Follows one case: what it reads, and when its time is over. */
export class CaseWatch {
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #controller = new AbortController();
  readonly #onProgress: ((progress: CaseProgress) => void) | undefined;
  /** What is read now and how much of it came. */
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

  /** Fires when the case must stop. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for the case, at most as long as it may take; a case that does not stop is left behind. */
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

  /** Notes that a read begins; call what it gives for each batch, and `end` when it is over. */
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
      ({ table, rows }) => `the read of ${table} has given ${counted(rows, "row")} and not ended`,
    );
    return [`the case is not over after ${seconds} s`, ...new Set(reads)].join("; ");
  }
}
