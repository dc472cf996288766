import { join } from "node:path";

import type { Host } from "../../base/mod.ts";
import type { RowReject } from "../../kit/mod.ts";
import type { TableContext } from "../services.ts";

const FLUSH_ROWS = 1_000;

/** Why a row without a key is set aside. */
export const NO_KEY = "the primary key has no value";

/** Where the rows of one read go that do not fit: one NDJSON file, made when the first one comes. */
export class Quarantine {
  readonly path: string;
  readonly #host: Host;
  readonly #directory: string;
  #lines: string[] = [];
  #flushing: Promise<void> = Promise.resolve();
  rows = 0;

  constructor(host: Host, directory: string, table: string, runId: string) {
    this.#host = host;
    this.#directory = join(directory, "quarantine", table.toLowerCase());
    this.path = join(this.#directory, `${runId}.ndjson`);
  }

  /** Takes one row; it is on the disk after `finish`. */
  add(reject: RowReject): void {
    this.rows += 1;
    this.#lines.push(`${toJson(reject)}\n`);
    if (this.#lines.length >= FLUSH_ROWS) this.#flush();
  }

  /** Writes what is left and throws what went wrong before. */
  async finish(): Promise<void> {
    this.#flush();
    await this.#flushing;
  }

  #flush(): void {
    if (this.#lines.length === 0) return;
    const text = this.#lines.join("");
    this.#lines = [];
    this.#flushing = this.#flushing.then(async () => {
      await this.#host.files.makeDirectory(this.#directory);
      await this.#host.files.append(this.path, text);
    });
    this.#flushing.catch(() => {});
  }
}

/** The quarantine of a table; null when bad rows are to fail it. */
export function quarantineOf(context: TableContext): Quarantine | null {
  const { services, directory, plan, runId } = context;
  return plan.quarantine ? new Quarantine(services.host, directory, plan.name, runId) : null;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === "bigint" ? item.toString() : item));
}
