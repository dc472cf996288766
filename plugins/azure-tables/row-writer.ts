import type { IndexedRow } from "agnes/catalog";

import type { Entity, EntityChange, TableGateway } from "./gateway.ts";
import { fromProperties, toProperties } from "./long-text.ts";
import { inParallel } from "./parallel.ts";
import { readMany } from "./read-many.ts";
import { RowQueue, type WantedRow } from "./row-queue.ts";

const CONCURRENCY = 6;
/** More rows than this waiting make the writer wait, too. */
const WAITING_MAX = 5000;
/** How long rows wait for others to travel with. */
const GATHER_MS = 40;

/** Somebody who waits until rows are written, at the versions they had when the waiting began. */
interface Waiter {
  readonly versions: Map<string, number>;
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
    this.#start();
    if (this.#waiting.size > WAITING_MAX) return this.#written(this.#waiting.size - WAITING_MAX / 2);
    // A failure shows at the next drain, which tries again.
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** A row that is still to be written. */
  find(partitionKey: string, rowKey: string): WantedRow | undefined {
    return this.#waiting.get(idOf({ partitionKey, rowKey }));
  }

  /** Resolves when every row taken over so far is written, however many come meanwhile. */
  async drain(): Promise<void> {
    if (this.#waiting.size > 0) await this.#written(this.#waiting.size);
  }

  /** Resolves when the first `count` rows that wait are written. */
  #written(count: number): Promise<void> {
    const versions = new Map<string, number>();
    for (const [id, { version }] of this.#waiting) {
      if (versions.size === count) break;
      versions.set(id, version);
    }
    return new Promise((resolve, reject) => {
      this.#waiters.add({ versions, resolve, reject });
      this.#flush();
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#queue.flush();
    this.#start();
  }

  #start(): void {
    while (this.#workers < CONCURRENCY) {
      const rows = this.#queue.take();
      if (rows.length === 0) return;
      this.#workers += 1;
      void this.#work(rows);
    }
  }

  /** Writes until nothing is left to take, or something goes wrong: whoever waits tries again. */
  async #work(first: readonly WantedRow[]): Promise<void> {
    let rows = first;
    try {
      for (; rows.length > 0; rows = this.#queue.take()) {
        await writeRows(this.#table, rows);
        for (const row of rows) this.#done(row);
      }
    } catch (reason) {
      for (const row of rows) {
        // A newer version that came meanwhile is in the queue already.
        if (this.find(row.partitionKey, row.rowKey)?.version === row.version) this.#queue.add(row);
      }
      for (const waiter of this.#waiters) waiter.reject(reason);
      this.#waiters.clear();
    }
    this.#workers -= 1;
  }

  #done(row: WantedRow): void {
    const id = idOf(row);
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined && waiting.version <= row.version) this.#waiting.delete(id);
    for (const waiter of this.#waiters) {
      const version = waiter.versions.get(id);
      if (version === undefined || version > row.version) continue;
      waiter.versions.delete(id);
      if (waiter.versions.size > 0) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

/** Brings rows of one partition to at least the versions wanted: together, or one by one when others interfere. */
async function writeRows(table: TableGateway, rows: readonly WantedRow[]): Promise<void> {
  for (const unknown of [rows.filter(({ isNew }) => !isNew), rows]) {
    const there = await readMany(
      table,
      rows[0]!.partitionKey,
      unknown.map(({ rowKey }) => rowKey),
    );
    const changes = rows.flatMap((row): readonly EntityChange[] => {
      const present = there.get(row.rowKey);
      if (present === undefined) return [{ entity: row, etag: null }];
      return versionOf(present) >= row.version ? [] : [{ entity: row, etag: present.etag }];
    });
    if (await change(table, changes)) return;
  }
  const results = await inParallel(
    rows.map((row) => () => raise(table, row)),
    CONCURRENCY,
  );
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

function change(table: TableGateway, changes: readonly EntityChange[]): Promise<boolean> {
  const [first, ...others] = changes;
  if (first === undefined) return Promise.resolve(true);
  if (others.length > 0) return table.changeAll(changes);
  return first.etag === null ? table.create(first.entity) : table.replace(first.entity, first.etag);
}

async function raise(table: TableGateway, row: WantedRow): Promise<void> {
  for (;;) {
    const there = await table.get(row.partitionKey, row.rowKey);
    if (there !== null && versionOf(there) >= row.version) return;
    if (await change(table, [{ entity: row, etag: there?.etag ?? null }])) return;
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
