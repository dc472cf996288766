import { expect } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import type { Catalog } from "agnes/catalog";

import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { openKilled, startWriter, type Item } from "./start-writer.ts";

/** One process writes to the stores of this many seeds, which all lose it at once. */
const TOGETHER = 10;
const ROUNDS = 2;

/** Kills writers at random moments and checks that all acknowledged changes are kept. */
export async function expectAcknowledgedKept(seeds: readonly number[]): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "agnes-killed-"));
  try {
    const template = join(root, "template");
    await prepare(template);
    let kills = 0;
    for (let at = 0; at < seeds.length; at += TOGETHER) {
      const stores = seeds.slice(at, at + TOGETHER).map((seed) => new KilledStore(seed, root));
      await Promise.all(stores.map((store) => store.begin(template)));
      const random = seededRandom(stores[0]!.seed);
      for (let round = 0; round < ROUNDS; round++) {
        await Promise.all([0, 1].map((which) => writeAndKill(stores, `r${round}w${which}`, random)));
        kills += 2;
      }
      for (const store of stores) await store.check();
    }
    expect(kills).toBe(2 * ROUNDS * Math.ceil(seeds.length / TOGETHER));
  } finally {
    await rm(root, { recursive: true });
  }
}

async function writeAndKill(
  stores: readonly KilledStore[],
  name: string,
  random: () => number,
): Promise<void> {
  const directories = stores.map(({ directory }) => directory);
  const writer = startWriter(name, 100_000, directories);
  await writer.untilAcknowledged(Math.floor(random() * 10 * stores.length));
  await new Promise((resolve) => setTimeout(resolve, random() * 4));
  writer.kill();
  for (const { place, actor, sequence } of await writer.acknowledged) {
    stores[place]!.acknowledged.set(actor, sequence);
  }
}

/** A catalog whose writers are killed, and a reader that stays open. */
class KilledStore {
  readonly seed: number;
  readonly directory: string;
  readonly acknowledged = new Map<string, number>();
  #reader: Catalog<Item> | undefined;

  constructor(seed: number, root: string) {
    this.seed = seed;
    this.directory = join(root, `seed-${seed}`);
  }

  /** Starts with an empty catalog, or shortly before snapshots and segments are written. */
  async begin(template: string): Promise<void> {
    if (this.seed % 10 !== 0) return;
    await cp(template, this.directory, { recursive: true });
    this.#reader = await openKilled(this.directory);
  }

  async check(): Promise<void> {
    try {
      await using again = await openKilled(this.directory);
      for (const catalog of [again, this.#reader]) if (catalog) await check(catalog, this.acknowledged);
      await this.#reader?.close();
    } catch (error) {
      throw new Error(`AGNES_SEED=${this.seed}: ${String(error)}`, { cause: error });
    }
    await rm(this.directory, { recursive: true });
  }
}

async function check(catalog: Catalog<Item>, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const state = new Map<string, Item>();
  const written = new Map<string, number[]>();
  let last = 0;
  for await (const { sequence, actor, changes } of catalog.entries()) {
    expect(sequence).toBe(++last);
    written.set(actor, [...(written.get(actor) ?? []), sequence]);
    for (const { rowKey, before, after } of changes) {
      const known = state.get(String(rowKey)) ?? null;
      if (!isDeepStrictEqual(before, known)) expect([sequence, before]).toEqual([sequence, known]);
      state.set(String(rowKey), after!);
    }
  }
  const lost = [...acknowledged].filter(
    ([actor, sequence]) => String(written.get(actor)) !== String(sequence),
  );
  expect(lost).toEqual([]);
  const all = [...state.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  expect((await catalog.query({})).map(({ record }) => record)).toEqual(all);
  for (const group of ["g0", "g1", "g2"]) {
    const found = (await catalog.query({ group })).map(({ record }) => record);
    expect(found).toEqual(all.filter((item) => item.group === group));
  }
}

/** Creates a catalog that will write a snapshot and a segment after a few more entries. */
async function prepare(directory: string): Promise<void> {
  const catalog = await openKilled(directory);
  const item = (id: number, n: number): Item => ({ id: `t${id}`, group: `g${id % 3}`, n });
  for (let at = 0; at < 740; at++) await catalog.insert(item(at % 50, at));
  for (let at = 0; at < 8; at++) {
    await catalog.insertMany(Array.from({ length: 400 }, (_, id) => item(id, 1000 + at)));
  }
  await catalog.close();
}
