import type { IndexedRow } from "agnes/catalog";

import type { Entity, EntityChange, TableGateway } from "./gateway.ts";
import { fromProperties, toProperties } from "./long-text.ts";
import { inParallel } from "./parallel.ts";
import { readMany } from "./read-many.ts";
import { RowQueue, type WantedRow } from "./row-queue.ts";

const CONCURRENCY = 6;
/** Backpressure: with more pending rows than this, `add` waits. */
const PENDING_MAX = 5000;
/** How long rows wait for others to fill a batch. */
const GATHER_MS = 40;

/** A caller that waits until rows are written at the versions they had at the time of the call. */
interface Waiter {
  readonly versions: Map<string, number>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Brings rows to the wanted versions, in the background and in batches.
 *
 * Each row is a register that keeps the greatest version by compare-and-set, and rows are never deleted. So delayed and
 * repeated writes are harmless, and the order of writes does not matter.
 */
export class RowWriter {
  readonly #table: TableGateway;
  /** Pending rows by id, including those being written. */
  readonly #pending = new Map<string, WantedRow>();
  readonly #queue = new RowQueue();
  readonly #waiters = new Set<Waiter>();
  #workers = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(table: TableGateway) {
    this.#table = table;
  }

  /** Queues rows to be written soon. `drain` waits for them and reports errors. */
  async add(rows: readonly WantedRow[]): Promise<void> {
    for (const row of rows) {
      const waiting = this.#pending.get(idOf(row));
      if (waiting !== undefined && waiting.version >= row.version) continue;
      this.#pending.set(idOf(row), row);
      this.#queue.add(row);
    }
    this.#start();
    if (this.#pending.size > PENDING_MAX) return this.#written(this.#pending.size - PENDING_MAX / 2);
    // The next drain reports a failure and retries.
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** A pending row. */
  find(partitionKey: string, rowKey: string): WantedRow | undefined {
    return this.#pending.get(idOf({ partitionKey, rowKey }));
  }

  /** Resolves when all rows queued so far are written, regardless of rows that are added later. */
  async drain(): Promise<void> {
    if (this.#pending.size > 0) await this.#written(this.#pending.size);
  }

  /** Resolves when the first `count` pending rows are written. */
  #written(count: number): Promise<void> {
    const versions = new Map<string, number>();
    for (const [id, { version }] of this.#pending) {
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

  /** Writes until the queue is empty or a write fails; then the callers that wait retry. */
  async #work(first: readonly WantedRow[]): Promise<void> {
    let rows = first;
    try {
      for (; rows.length > 0; rows = this.#queue.take()) {
        await writeRows(this.#table, rows);
        for (const row of rows) this.#done(row);
      }
    } catch (reason) {
      for (const row of rows) {
        // A newer version that arrived in the meantime is already in the queue.
        if (this.find(row.partitionKey, row.rowKey)?.version === row.version) this.#queue.add(row);
      }
      for (const waiter of this.#waiters) waiter.reject(reason);
      this.#waiters.clear();
    }
    this.#workers -= 1;
  }

  #done(row: WantedRow): void {
    const id = idOf(row);
    const waiting = this.#pending.get(id);
    if (waiting !== undefined && waiting.version <= row.version) this.#pending.delete(id);
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

/** Writes rows of one partition at least at the wanted versions: together, or one by one after conflicts. */
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
    rows.map((row) => () => setAtLeast(table, row)),
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

async function setAtLeast(table: TableGateway, row: WantedRow): Promise<void> {
  for (;;) {
    const there = await table.get(row.partitionKey, row.rowKey);
    if (there !== null && versionOf(there) >= row.version) return;
    if (await change(table, [{ entity: row, etag: there?.etag ?? null }])) return;
  }
}

/** The version of a row; -1 if it is damaged, so that any write repairs it. */
export function versionOf(entity: Entity): number {
  return toRow(entity)?.version ?? -1;
}

/** The properties of a row's entity. */
export function toValues({ version, key, record }: IndexedRow): Readonly<Record<string, string>> {
  return toProperties(JSON.stringify({ version, key, record }));
}

/** The row of an entity; `null` if it is damaged. */
export function toRow(entity: Entity): IndexedRow | null {
  const text = fromProperties(entity.values);
  return text === null ? null : (JSON.parse(text) as IndexedRow);
}

function idOf(row: Pick<WantedRow, "partitionKey" | "rowKey">): string {
  return `${row.partitionKey}\n${row.rowKey}`;
}
