import type { IndexedRow } from "agnes/catalog";

import type { Entity, TableGateway } from "./gateway.ts";
import { RowQueue } from "./row-queue.ts";
import { fromProperties, toProperties } from "./long-text.ts";

const CONCURRENCY = 4;
/** More rows than this waiting make the writer wait, too. */
const WAITING_MAX = 5000;
/** How long rows wait for others to travel with. */
const GATHER_MS = 40;

/**
 * What one row of an index should say at least: a row only ever moves to a greater version. Without a record
 * it says that the record is not, or no longer, here.
 */
export interface WantedRow extends IndexedRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly values: Readonly<Record<string, string>>;
  /** Whether there is probably no such row yet. */
  readonly isNew: boolean;
}

/** Somebody who waits until no more than so many rows are still to be written. */
interface Waiter {
  readonly rowsMax: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Brings rows to the versions wanted, in the background and in batches.
 *
 * Every row is a register that keeps the greatest version, by compare-and-set, and a row once made is never
 * taken away; so a writer that slept, or wrote twice, can do no harm, and order does not matter.
 */
export class RowWriter {
  readonly #table: TableGateway;
  /** What has still to be written, by row; rows being written stay here until they are. */
  readonly #waiting = new Map<string, WantedRow>();
  readonly #queue = new RowQueue();
  readonly #waiters = new Set<Waiter>();
  #workers = 0;
  #failure: { readonly reason: unknown } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(table: TableGateway) {
    this.#table = table;
  }

  /** Takes rows over. They are written soon; `drain` tells when, and what went wrong. */
  async add(rows: readonly WantedRow[]): Promise<void> {
    for (const row of rows) {
      const waiting = this.#waiting.get(idOf(row));
      if (waiting !== undefined && waiting.version >= row.version) continue;
      this.#waiting.set(idOf(row), row);
      this.#queue.add(row);
    }
    if (this.#waiting.size > WAITING_MAX) return this.#until(WAITING_MAX / 2);
    // A failure shows at the next drain, which tries again.
    this.#timer ??= setTimeout(() => void this.drain().catch(() => {}), GATHER_MS);
  }

  /** A row that is still to be written. */
  find(partitionKey: string, rowKey: string): WantedRow | undefined {
    return this.#waiting.get(idOf({ partitionKey, rowKey }));
  }

  /** Resolves when every row taken over is written. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#until(0);
  }

  #until(rowsMax: number): Promise<void> {
    if (this.#waiting.size <= rowsMax) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.add({ rowsMax, resolve, reject });
      if (this.#workers === 0) this.#start();
    });
  }

  /** Sets workers to all that is there, be it a full batch or not. */
  #start(): void {
    this.#failure = null;
    while (this.#workers < CONCURRENCY) {
      const work = this.#queue.take("any");
      if (work.length === 0) return;
      this.#workers += 1;
      void this.#work(work);
    }
  }

  /** Writes, then goes on as long as there are full batches: what is less gathers until all workers are done. */
  async #work(first: readonly WantedRow[]): Promise<void> {
    for (let rows = first; rows.length > 0; rows = this.#queue.take("full")) {
      try {
        await this.#write(rows);
      } catch (reason) {
        this.#failure ??= { reason };
        for (const row of rows) if (this.#waiting.get(idOf(row)) === row) this.#queue.add(row);
      }
      this.#tell();
      if (this.#failure !== null) break;
    }
    this.#workers -= 1;
    if (this.#workers > 0) return;
    const failure = this.#failure;
    if (failure === null && this.#waiters.size > 0) return this.#start();
    for (const waiter of this.#waiters) waiter.reject(failure?.reason);
    this.#waiters.clear();
  }

  #tell(): void {
    for (const waiter of this.#waiters) {
      if (this.#waiting.size > waiter.rowsMax) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  async #write(rows: readonly WantedRow[]): Promise<void> {
    // A newer version that came meanwhile is in the queue, too.
    const wanted = rows.filter((row) => this.#waiting.get(idOf(row)) === row);
    if (wanted.length === 0) return;
    if (wanted[0]!.isNew && (await this.#create(wanted))) {
      for (const row of wanted) this.#done(row);
    } else {
      for (const row of wanted) await this.#raise(row);
    }
  }

  #create(rows: readonly WantedRow[]): Promise<boolean> {
    return rows.length === 1 ? this.#table.create(rows[0]!) : this.#table.createAll(rows);
  }

  async #raise(row: WantedRow): Promise<void> {
    for (;;) {
      const there = await this.#table.get(row.partitionKey, row.rowKey);
      if (there !== null && versionOf(there) >= row.version) break;
      const written =
        there === null ? await this.#table.create(row) : await this.#table.replace(row, there.etag);
      if (written) break;
    }
    this.#done(row);
  }

  #done(row: WantedRow): void {
    if (this.#waiting.get(idOf(row)) === row) this.#waiting.delete(idOf(row));
  }
}

/** The version a row says it has; -1 when it is damaged, so that any write mends it. */
export function versionOf(entity: Entity): number {
  return toRow(entity)?.version ?? -1;
}

/** What the entity of a row holds beside its keys. */
export function toValues({ version, key, record }: IndexedRow): Readonly<Record<string, string>> {
  return toProperties(JSON.stringify({ version, key, record }));
}

/** What an entity says; `null` when it is damaged. */
export function toRow(entity: Entity): IndexedRow | null {
  const text = fromProperties(entity.values);
  return text === null ? null : (JSON.parse(text) as IndexedRow);
}

function idOf(row: Pick<WantedRow, "partitionKey" | "rowKey">): string {
  return `${row.partitionKey}\n${row.rowKey}`;
}
