import type { JsonRecord } from "agnes/catalog";

import type { Entity, ReadEntity, TableGateway } from "./gateway.ts";
import { fromProperties, toProperties } from "./long-text.ts";

/** The service takes at most so many operations in one transaction, and so much text. */
const BATCH_SIZE = 100;
const BATCH_LENGTH = 1_000_000;
const CONCURRENCY = 8;
/** More rows than this waiting make the writer wait, too. */
const WAITING_MAX = 2000;

/** What one row of an index should say at least: a row only ever moves to a greater version. */
export interface WantedRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly key: string;
  readonly version: number;
  /** `null` says that the record is not, or no longer, here. */
  readonly record: JsonRecord | null;
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

  constructor(table: TableGateway) {
    this.#table = table;
  }

  /** Takes rows over. They are written soon; `drain` tells when, and what went wrong. */
  async add(rows: readonly WantedRow[]): Promise<void> {
    for (const row of rows) {
      const waiting = this.#waiting.get(idOf(row));
      if (waiting === undefined || waiting.version < row.version) this.#waiting.set(idOf(row), row);
    }
    if (this.#waiting.size > WAITING_MAX) await this.drain();
    // A failure shows at the next drain, which tries again.
    else void this.#start().catch(() => {});
  }

  /** A row that is still to be written. */
  find(partitionKey: string, rowKey: string): WantedRow | undefined {
    return this.#waiting.get(idOf({ partitionKey, rowKey }));
  }

  /** Resolves when every row taken over is written. */
  async drain(): Promise<void> {
    while (this.#waiting.size > 0) await this.#start();
  }

  #start(): Promise<void> {
    this.#running ??= this.#flush().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #flush(): Promise<void> {
    // One turn later, so that rows added by the same caller travel together.
    await Promise.resolve();
    const rows = [...this.#waiting.values()];
    const work = batches(rows.filter(({ isNew }) => isNew)).map((batch) => () => this.#createAll(batch));
    for (const row of rows) if (!row.isNew) work.push(() => this.#raise(row));
    const results = await inParallel(work, CONCURRENCY);
    const failed = results.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  async #createAll(rows: readonly WantedRow[]): Promise<void> {
    const entities = rows.map(toEntity);
    const created =
      entities.length === 1 ? await this.#table.create(entities[0]!) : await this.#table.createAll(entities);
    if (created) for (const row of rows) this.#done(row);
    else for (const row of rows) await this.#raise(row);
  }

  async #raise(row: WantedRow): Promise<void> {
    for (;;) {
      const there = await this.#table.get(row.partitionKey, row.rowKey);
      if (there !== null && versionOf(there) >= row.version) break;
      const entity = toEntity(row);
      const written =
        there === null ? await this.#table.create(entity) : await this.#table.replace(entity, there.etag);
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
  const version = Number(entity.values["version"]);
  return Number.isSafeInteger(version) && parsedRow(entity) !== null ? version : -1;
}

/** What a row says; `null` when it is damaged. */
export function parsedRow(
  entity: Entity,
): { readonly key: string; readonly record: JsonRecord | null } | null {
  const text = fromProperties(entity.values);
  return text === null ? null : (JSON.parse(text) as { key: string; record: JsonRecord | null });
}

/** The entity of a row. */
export function toEntity({ partitionKey, rowKey, key, version, record }: WantedRow): Entity {
  const gone = record === null ? "yes" : "no";
  const values = { version: String(version), gone, ...toProperties(JSON.stringify({ key, record })) };
  return { partitionKey, rowKey, values };
}

/** What a row that was read stands for. */
export function toRow(entity: ReadEntity): WantedRow | null {
  const parsed = parsedRow(entity);
  const { partitionKey, rowKey } = entity;
  return parsed === null
    ? null
    : { partitionKey, rowKey, version: versionOf(entity), isNew: false, ...parsed };
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
    const length = row.record === null ? 100 : JSON.stringify(row.record).length + 100;
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
