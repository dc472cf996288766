/** The bytes that the jobs and sessions of one read may bill together. */
export class Budget {
  #leftBytes: number;
  /** The bytes that jobs would bill for the rows that are not read yet. */
  #plannedBytes: number;

  constructor(limitBytes: number, plannedBytes: number) {
    this.#leftBytes = limitBytes;
    this.#plannedBytes = plannedBytes;
  }

  get leftBytes(): number {
    return this.#leftBytes;
  }

  /** The bytes that one part may bill, so that jobs can still read all others. */
  besides(jobBytes: number): number {
    return this.#leftBytes - Math.max(0, this.#plannedBytes - jobBytes);
  }

  /**
   * Counts the bytes of a part.
   * @param jobBytes those that a job would have billed
   */
  spend(billedBytes: number, jobBytes: number): void {
    this.#leftBytes -= billedBytes;
    this.#plannedBytes = Math.max(0, this.#plannedBytes - jobBytes);
  }
}
