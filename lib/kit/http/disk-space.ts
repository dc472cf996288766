import { AgnesError, type Files } from "../../base/mod.ts";

/** Tracks the disk space that the files of one download still need. */
export class DiskSpace {
  readonly #files: Pick<Files, "freeBytes">;
  readonly #directory: string;
  readonly #neededBytes = new Map<object, number>();

  constructor(files: Pick<Files, "freeBytes">, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /**
   * Reserves the remaining size of a file, in addition to the others.
   * @throws `disk_full` if there is less free space
   */
  async reserve(owner: object, sizeBytes: number): Promise<void> {
    this.#neededBytes.set(owner, sizeBytes);
    const freeBytes = await this.#files.freeBytes(this.#directory);
    const neededBytes = [...this.#neededBytes.values()].reduce((sum, one) => sum + one, 0);
    if (freeBytes === null || neededBytes <= freeBytes) return;
    throw new AgnesError("disk_full", { path: this.#directory, neededBytes, freeBytes });
  }

  /** Records that this part of the reservation has been written. */
  used(owner: object, sizeBytes: number): void {
    const neededBytes = this.#neededBytes.get(owner);
    if (neededBytes !== undefined) this.#neededBytes.set(owner, Math.max(0, neededBytes - sizeBytes));
  }

  release(owner: object): void {
    this.#neededBytes.delete(owner);
  }
}
