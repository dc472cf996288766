/**
 * One job that a source ran for a read or query, such as a query job or a read session of a warehouse. Omitted figures are
 * unknown: a source may hide them, or report them only at the end.
 *
 * @example
 * ```ts
 * import type { SourceJob } from "agnes/kit";
 * const started: SourceJob = { id: "job_1", status: "running" };
 * const ended: SourceJob = {
 *   ...started,
 *   status: "done",
 *   processedBytes: 2_000_000,
 *   billedBytes: 10_485_760,
 *   isCached: false,
 *   slotMs: 1_200,
 *   price: { amount: 0.00006, currency: "USD" },
 * };
 * ```
 */
export interface SourceJob {
  /** The id by which the source lists the job. */
  readonly id: string;
  /**
   * - `running`: it was started, and its end is not known.
   * - `done`: it succeeded.
   * - `failed`: it failed in the source.
   * - `cancelled`: it was stopped before its end, so that it may still be billed.
   */
  readonly status: "running" | "done" | "failed" | "cancelled";
  /** The number of bytes that it processed, or sent if it is a read session. */
  readonly processedBytes?: number;
  /** The number of bytes that it is billed for. */
  readonly billedBytes?: number;
  /** Whether its result came from a cache of the source. */
  readonly isCached?: boolean;
  /** The computing time that it used, in milliseconds, summed over all units of the source. */
  readonly slotMs?: number;
  /** The estimated price of `billedBytes`; omit it if no rate is configured. */
  readonly price?: {
    readonly amount: number;
    /** The ISO 4217 code. */
    readonly currency: string;
  };
}
