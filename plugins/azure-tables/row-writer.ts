import type { IndexedRow } from "agnes/catalog";

import type { Entity, TableGateway } from "./gateway.ts";
import { fromProperties, toProperties } from "./long-text.ts";

/** The service takes at most so many operations in one transaction, and so much text. */
const BATCH_SIZE = 100;
const BATCH_LENGTH = 1_000_000;
const CONCURRENCY = 4;
/** More rows than this waiting make the writer wait, too. */
const WAITING_MAX = 2000;
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

/**
 * Brings rows to the versions wanted, in the background and in batches.
 *
 * Every row is a register that keeps the greatest version, by compare-and-set, and a row once made is never
 * taken away; so a writer that slept, or wrote twice, can do no harm, and order does not matter.
 */
export class RowWriter {
  readonly #table: TableGateway;
  /** What has still to be written, by row; rows being written stay here until they are. */
  #waiting = new Map<string, WantedRow>();
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(table: TableGateway) {
    this.#table = table;
  }

  /** Takes rows over. They are written soon; `drain` tells when, and what went wrong. */
  async add(rows: readonly WantedRow[]): Promise<void> {
    for (const row of rows) {
      const waiting = this.#waiting.get(idOf(row));
      if (waiting === undefined || waiting.version < row.version) this.#waiting.set(idOf(row), row);
    }
    if (this.#waiting.size > WAITING_MAX) return this.drain();
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
    while (this.#waiting.size > 0) await this.#start();
  }

  #start(): Promise<void> {
    this.#running ??= this.#flush().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #flush(): Promise<void> {
    const rows = [...this.#waiting.values()];
    const work = batches(rows.filter(({ isNew }) => isNew)).map((batch) => () => this.#createAll(batch));
    for (const row of rows) if (!row.isNew) work.push(() => this.#raise(row));
    const results = await inParallel(work, CONCURRENCY);
    const failed = results.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  async #createAll(rows: readonly WantedRow[]): Promise<void> {
    const created =
      rows.length === 1 ? await this.#table.create(rows[0]!) : await this.#table.createAll(rows);
    if (created) for (const row of rows) this.#done(row);
    else for (const row of rows) await this.#raise(row);
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

/** Runs work with bounded concurrency; like `Promise.allSettled`. */
export async function inParallel<T>(
  work: readonly (() => Promise<T>)[],
  concurrency: number,
): Promise<readonly PromiseSettledResult<T>[]> {
  const results: PromiseSettledResult<T>[] = [];
  let next = 0;
  const worker = async () => {
    while (next < work.length) {
      const at = next++;
      [results[at]] = (await Promise.allSettled([work[at]!()])) as [PromiseSettledResult<T>];
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, work.length) }, worker));
  return results;
}

function batches(rows: readonly WantedRow[]): readonly (readonly WantedRow[])[] {
  const open = new Map<string, { rows: WantedRow[]; length: number }>();
  const full: WantedRow[][] = [];
  for (const row of rows) {
    const length = Object.values(row.values).reduce(
      (sum, text) => sum + text.length,
      row.rowKey.length + 100,
    );
    let batch = open.get(row.partitionKey);
    if (batch === undefined || batch.rows.length === BATCH_SIZE || batch.length + length > BATCH_LENGTH) {
      batch = { rows: [], length: 0 };
      open.set(row.partitionKey, batch);
      full.push(batch.rows);
    }
    batch.rows.push(row);
    batch.length += length;
  }
  return full;
}

function idOf(row: Pick<WantedRow, "partitionKey" | "rowKey">): string {
  return `${row.partitionKey}\n${row.rowKey}`;
}
