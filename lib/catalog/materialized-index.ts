import { inRange } from "./keys.ts";
import { indexText, indexValueOf } from "./schema.ts";
import type { CatalogSchema, IndexedRow, JsonRecord, KeyRange, LogEntry, Lookup } from "./storage.ts";

/** A row whose record is kept as JSON text: compact, and every reader gets an object of its own. */
interface TextRow {
  readonly version: number;
  readonly text: string;
}

/** The indexes of a catalog in memory: what the log says, as of `sequence`. */
export class MaterializedIndex {
  readonly #rows = new Map<string, TextRow>();
  /** The keys that were deleted, with the entry that did it; the oldest first. */
  readonly #tombstones = new Map<string, number>();
  readonly #all = new KeySet();
  /** By field and value; a value of one record has its bare key, for most values have but one. */
  readonly #byField: ReadonlyMap<string, Map<string, string | KeySet>>;
  #sequence = 0;
  #forgotten = 0;

  constructor(schema: CatalogSchema) {
    this.#byField = new Map(schema.indexKeys.map((field) => [field, new Map<string, string | KeySet>()]));
  }

  /** Every entry up to here is in. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Keys that were deleted by an entry up to this one may be forgotten. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** How many records there are. */
  get size(): number {
    return this.#all.size;
  }

  /** Brings entries in; one that is in already changes nothing. */
  apply(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.sequence <= this.#sequence) continue;
      for (const change of entry.changes) this.put(change.key, entry.sequence, change.after);
      this.#sequence = entry.sequence;
    }
  }

  /** Sets one row, as a snapshot holds it. */
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

  /** Says that what was `put` is the state at `sequence`. */
  restored(sequence: number, forgotten: number): void {
    this.#sequence = sequence;
    this.#forgotten = forgotten;
  }

  /** Forgets the keys that were deleted by an entry up to `sequence`. */
  forget(sequence: number): void {
    for (const [key, version] of this.#tombstones) {
      if (version > sequence) break;
      this.#tombstones.delete(key);
      this.#forgotten = Math.max(this.#forgotten, version);
    }
  }

  /** What is known of the keys, deleted ones too. */
  rowsOf(keys: readonly string[]): ReadonlyMap<string, IndexedRow> {
    const found = new Map<string, IndexedRow>();
    for (const key of keys) {
      const version = this.#tombstones.get(key);
      if (version !== undefined) found.set(key, { key, version, record: null });
      else if (this.#rows.has(key)) found.set(key, this.#row(key));
    }
    return found;
  }

  /** Forgets what another index has forgotten, so that nobody who missed a key there takes it for unknown here. */
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

  /** Every record with its version, as they are now. */
  rows(): readonly TextRow[] {
    return [...this.#rows.values()];
  }

  /** The deleted keys that are not forgotten, as they are now, the oldest first. */
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
      const there = sets.get(value);
      if (there === undefined) sets.set(value, key);
      else if (there instanceof KeySet) there.add(key);
      else if (there !== key) sets.set(value, new KeySet(there, key));
    }
  }

  #unlink(key: string, before: JsonRecord, after: JsonRecord | null): void {
    for (const [field, sets] of this.#byField) {
      const value = indexText(indexValueOf(before, field));
      if (after !== null && indexText(indexValueOf(after, field)) === value) continue;
      const there = sets.get(value);
      if (there instanceof KeySet) there.delete(key);
      if (there === key || (there instanceof KeySet && there.size === 0)) sets.delete(value);
    }
  }
}

/** A set of keys that can be walked in order; sorting is put off until someone walks. */
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
