import assert from "node:assert/strict";

import type { Catalog, HistoryEntry } from "../catalog/mod.ts";

/** One record of the simulated catalog. */
export interface Item {
  readonly id: string;
  readonly colour: string;
  readonly size: number;
  /** Which attempt wrote it. */
  readonly op: string;
}

/** An attempted write; its entry has `op` as its actor. */
export interface Attempt {
  readonly op: string;
  outcome: "acknowledged" | "refused" | "unknown";
  sequence?: number;
  /** The expected previous version of the key. */
  expected?: { readonly key: string; readonly version: number };
}

/** An observation of a key: by a reader after writes up to `since`, or by a writer. */
export interface Sighting {
  readonly key: string;
  /** 0 if there was none. */
  readonly version: number;
  readonly since: number;
}

type State = ReadonlyMap<string, { readonly version: number; readonly record: Item }>;

/** Checks that the log, the indexes and the observations of writers and readers agree. Throws otherwise. */
export async function checkOutcome(
  catalogs: readonly Catalog<Item>[],
  universe: { readonly keys: readonly string[]; readonly colours: readonly string[] },
  attempts: readonly Attempt[],
  sightings: readonly Sighting[],
): Promise<void> {
  const entries: HistoryEntry<Item>[] = [];
  for await (const entry of catalogs[0]!.entries()) entries.push(entry);
  checkAttempts(entries, attempts);
  const states = checkEntries(entries);
  checkExpected(states, attempts);
  checkSightings(states, sightings);
  for (const catalog of catalogs) {
    await checkIndexes(catalog, states.at(-1)!, universe);
    await checkHistories(catalog, entries, universe.keys);
  }
}

function checkAttempts(entries: readonly HistoryEntry<Item>[], attempts: readonly Attempt[]): void {
  const written = new Map<string, number[]>();
  for (const { actor, sequence } of entries) {
    written.set(actor, [...(written.get(actor) ?? []), sequence]);
  }
  for (const { op, outcome, sequence } of attempts) {
    const found = written.get(op) ?? [];
    const expected = outcome === "acknowledged" ? [sequence] : outcome === "refused" ? [] : found.slice(0, 1);
    assert.deepEqual(
      found,
      expected,
      `write ${op} was ${outcome}, and is in the log at [${found.join(", ")}]`,
    );
    written.delete(op);
  }
  assert.deepEqual([...written.keys()], [], "the log contains unknown entries");
}

function checkEntries(entries: readonly HistoryEntry<Item>[]): readonly State[] {
  const states: State[] = [new Map()];
  for (const [at, { sequence, changes }] of entries.entries()) {
    assert.equal(sequence, at + 1, "the sequence has a gap");
    const state = new Map(states.at(-1));
    for (const { rowKey, before, after } of changes) {
      const key = String(rowKey);
      assert.deepEqual(before, state.get(key)?.record ?? null, `entry ${sequence}: ${key} before`);
      if (after?.op.startsWith("count") === true) {
        assert.equal(after.size, (before?.size ?? 0) + 1, `entry ${sequence}: a decision on a stale state`);
      }
      if (after === null) state.delete(key);
      else state.set(key, { version: sequence, record: after });
    }
    states.push(state);
  }
  return states;
}

function checkExpected(states: readonly State[], attempts: readonly Attempt[]): void {
  for (const { op, outcome, sequence = 0, expected } of attempts) {
    if (outcome !== "acknowledged" || expected === undefined) continue;
    const before = states[sequence - 1]!.get(expected.key)?.version ?? 0;
    assert.equal(before, expected.version, `write ${op} replaced a different version than expected`);
  }
}

function checkSightings(states: readonly State[], sightings: readonly Sighting[]): void {
  for (const { key, version, since } of sightings) {
    const was = states.some(
      (state, sequence) => sequence >= since && (state.get(key)?.version ?? 0) === version,
    );
    assert.ok(was, `${key} was seen at version ${version} though entry ${since} was written before`);
  }
}

/** Checks the history of each record against the log, also after deletion and recreation. */
async function checkHistories(
  catalog: Catalog<Item>,
  entries: readonly HistoryEntry<Item>[],
  keys: readonly string[],
): Promise<void> {
  for (const key of keys) {
    const expected = entries.filter(({ changes }) => changes.some(({ rowKey }) => rowKey === key));
    const found = await catalog.history({ rowKey: key });
    const sequences = (some: readonly HistoryEntry<Item>[]) => some.map(({ sequence }) => sequence);
    assert.deepEqual(sequences(found), sequences(expected), `the history of ${key}`);
  }
}

async function checkIndexes(
  catalog: Catalog<Item>,
  state: State,
  universe: { readonly keys: readonly string[]; readonly colours: readonly string[] },
): Promise<void> {
  const all = [...state.values()].sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
  assert.deepEqual(await catalog.query({}), all, "all records");
  for (const key of universe.keys) {
    assert.deepEqual(await catalog.get(key), state.get(key) ?? null, `the record ${key}`);
  }
  const sizes = new Set(all.map(({ record }) => record.size));
  for (const size of sizes) {
    const ofSize = all.filter(({ record }) => record.size === size);
    assert.deepEqual(await catalog.query({ size }), ofSize, `the index of ${size}`);
  }
  for (const colour of universe.colours) {
    const ofColour = all.filter(({ record }) => record.colour === colour);
    assert.deepEqual(await catalog.query({ colour }), ofColour, `the index of ${colour}`);
    for (const size of sizes) {
      const both = ofColour.filter(({ record }) => record.size === size);
      assert.deepEqual(await catalog.query({ colour, size }), both, `the indexes of ${colour} and ${size}`);
    }
  }
}
