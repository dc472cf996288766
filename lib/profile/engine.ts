import { machineLimits, raceAbort, withTimeout } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { openQuerySession } from "../query/mod.ts";
import { boundsOf, type Bounds } from "./bounds.ts";
import { computeFigures } from "./compute.ts";
import type { ProfileServices } from "./services.ts";
import type { TableFigures } from "./types.ts";

const MEMORY_MB = 2048;
const THREADS = 2;

/** The memory of a DuckDB instance for profiles, in MB. */
export function profileMemoryMb(): number {
  return Math.min(MEMORY_MB, Math.floor(machineLimits().memoryBytes / 2_000_000));
}

/** Figures, and the state of the table that they describe. */
export interface Computed {
  readonly table: AnalyticsTable;
  readonly figures: TableFigures;
}

/** A DuckDB instance for profiles alone: at most 2 GB of memory, or half of the machine's, and 2 threads. */
export class ProfileEngine implements AsyncDisposable {
  readonly #session: ReturnType<typeof openQuerySession>;
  readonly #bounds: Bounds;

  constructor({ workspace, ...services }: ProfileServices) {
    const memoryMb = profileMemoryMb();
    const limits = { ...services.limits, memoryMb, threads: THREADS };
    const { dataDirectory } = workspace;
    this.#session = openQuerySession({ ...services, limits }, { dataDirectory });
    this.#bounds = boundsOf(memoryMb);
  }

  /** Computes the figures of a table. @throws `timed_out`, `aborted`, and the errors of a query */
  async compute(
    table: AnalyticsTable,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Computed> {
    const what = `profiling the table ${tableId(table)}`;
    using timer = withTimeout(what, timeoutMs, signal);
    const computing = this.#session.readTable(tableId(table), timer.signal, async (opened) => ({
      table: opened.table,
      figures: await computeFigures(opened, this.#bounds),
    }));
    return await raceAbort(computing, timer.signal, what);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session.close();
  }
}
