import { inRange } from "./keys.ts";
import { indexText, indexValueOf } from "./schema.ts";
import type { CatalogSchema, IndexedRow, JsonRecord, KeyRange, LogEntry, Lookup } from "./storage.ts";

/** A row with its record as JSON text, which is compact; each reader parses its own object. */
interface TextRow {
  readonly version: number;
  readonly text: string;
}

/** The indexes of a catalog in memory: the state of the log at `sequence`. */
export class MaterializedIndex {
  readonly #rows = new Map<string, TextRow>();
  /** Deleted keys with the sequence number of the deletion, oldest first. */
  readonly #tombstones = new Map<string, number>();
  readonly #all = new KeySet();
  /** Keys by field and value. A value of one record maps to its bare key, because most values have only one. */
  readonly #byField: ReadonlyMap<string, Map<string, string | KeySet>>;
  #sequence = 0;
  #forgotten = 0;

  constructor(schema: CatalogSchema) {
    this.#byField = new Map(schema.indexKeys.map((field) => [field, new Map<string, string | KeySet>()]));
  }

  /** All entries up to this one are applied. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Keys deleted by an entry up to this one may be forgotten. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** The number of records. */
  get size(): number {
    return this.#all.size;
  }

  /** Applies entries; skips those that are already applied. */
  apply(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.sequence <= this.#sequence) continue;
      for (const change of entry.changes) this.put(change.key, entry.sequence, change.after);
      this.#sequence = entry.sequence;
    }
  }

  /** Sets one row, for example from a snapshot. */
  put(key: string, version: number, record: JsonRecord | null, text?: string): void {
    const before = this.#rows.get(key)?.text;
    if (before !== undefined) this.#unlink(key, JSON.parse(before) as JsonRecord, record);
    this.#tombstones.delete(key);
    if (record === null) {
      this.#all.delete(key);
      this.#rows.delete(key);
      this.#tombstones.set(key, version);
    } else {
      this.#link(key, record);
      this.#rows.set(key, { version, text: text ?? JSON.stringify(record) });
    }
  }

  /** Marks the rows set by `put` as the state at `sequence`. */
  restored(sequence: number, forgotten: number): void {
    this.#sequence = sequence;
    this.#forgotten = forgotten;
  }

  /** Forgets keys deleted by an entry up to `sequence`. */
  forget(sequence: number): void {
    for (const [key, version] of this.#tombstones) {
      if (version > sequence) break;
      this.#tombstones.delete(key);
      this.#forgotten = Math.max(this.#forgotten, version);
    }
  }

  /** Looks up keys, including deleted ones. */
  rowsOf(keys: readonly string[]): ReadonlyMap<string, IndexedRow> {
    const found = new Map<string, IndexedRow>();
    for (const key of keys) {
      const version = this.#tombstones.get(key);
      if (version !== undefined) found.set(key, { key, version, record: null });
      else if (this.#rows.has(key)) found.set(key, this.#row(key));
    }
    return found;
  }

  /** Forgets at least what another index has forgotten, for readers that missed a key in it. */
  forgetAs(other: MaterializedIndex): void {
    this.forget(other.#forgotten);
    this.#forgotten = Math.max(this.#forgotten, other.#forgotten);
  }

  find(lookup: Lookup): readonly IndexedRow[] {
    const sets = lookup.where.map(({ field, value }) => this.#byField.get(field)?.get(indexText(value)));
    if (sets.includes(undefined)) return [];
    const [least = this.#all, ...others] = sets
      .map((set) => (set instanceof KeySet ? set : new KeySet(set!)))
      .sort((a, b) => a.size - b.size);
    const found: IndexedRow[] = [];
    for (const key of least.inOrder(lookup.range)) {
      if (found.length === lookup.limit) break;
      if (others.every((set) => set.has(key))) found.push(this.#row(key));
    }
    return found;
  }

  /** A copy of all current records with their versions. */
  rows(): readonly TextRow[] {
    return [...this.#rows.values()];
  }

  /** A copy of the deleted keys that are not forgotten, oldest first. */
  tombstones(): readonly (readonly [key: string, version: number])[] {
    return [...this.#tombstones];
  }

  #row(key: string): IndexedRow {
    const { version, text } = this.#rows.get(key)!;
    return { key, version, record: JSON.parse(text) as JsonRecord };
  }

  #link(key: string, record: JsonRecord): void {
    this.#all.add(key);
    for (const [field, sets] of this.#byField) {
      const value = indexText(indexValueOf(record, field));
      const existing = sets.get(value);
      if (existing === undefined) sets.set(value, key);
      else if (existing instanceof KeySet) existing.add(key);
      else if (existing !== key) sets.set(value, new KeySet(existing, key));
    }
  }

  #unlink(key: string, before: JsonRecord, after: JsonRecord | null): void {
    for (const [field, sets] of this.#byField) {
      const value = indexText(indexValueOf(before, field));
      if (after !== null && indexText(indexValueOf(after, field)) === value) continue;
      const existing = sets.get(value);
      if (existing instanceof KeySet) existing.delete(key);
      if (existing === key || (existing instanceof KeySet && existing.size === 0)) sets.delete(value);
    }
  }
}

/** A set of keys with ordered iteration; it sorts them on the first iteration. */
class KeySet {
  readonly #keys = new Set<string>();
  #sorted: string[] | null = null;

  constructor(...keys: readonly string[]) {
    for (const key of keys) this.#keys.add(key);
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  add(key: string): void {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    this.#sorted?.splice(lowerBound(this.#sorted, key), 0, key);
  }

  delete(key: string): void {
    if (this.#keys.delete(key)) this.#sorted?.splice(lowerBound(this.#sorted, key), 1);
  }

  *inOrder(range: KeyRange): Iterable<string> {
    if (this.#keys.size === 1) {
      for (const key of this.#keys) if (inRange(key, range)) yield key;
      return;
    }
    this.#sorted ??= [...this.#keys].sort(byCodeUnit);
    const sorted = this.#sorted;
    for (let at = range.from === undefined ? 0 : lowerBound(sorted, range.from); at < sorted.length; at++) {
      const key = sorted[at]!;
      if (range.before !== undefined && key >= range.before) return;
      yield key;
    }
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
