import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { fileStorage, openCatalog, type Catalog } from "agnes/catalog";

import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";

interface Item {
  readonly id: string;
  readonly group: string;
  readonly n: number;
}

const WRITER = new URL("writer-process.ts", import.meta.url).pathname;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agnes-processes-"));
});
afterAll(() => rm(root, { recursive: true }));

test("insert() by two processes at once leaves 400 records at 400 sequence numbers", async () => {
  const directory = join(root, "two");
  const writers = ["ann", "bob"].map((name) => startWriter(name, 200, [directory]));
  const said = await Promise.all(writers.map(({ acknowledged }) => acknowledged));
  const catalog = await open(directory);
  const entries = await catalog.history();
  expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 400 }, (_, at) => at + 1));
  const acknowledged = said.flat().map(({ actor, sequence }): [string, number] => [actor, sequence]);
  expect(acknowledged).toHaveLength(400);
  expect(new Map(entries.map(({ actor, sequence }) => [actor, sequence]))).toEqual(new Map(acknowledged));
  await catalog.close();
}, 30_000);

const chosen = process.env["AGNES_SEED"];
const seeds = chosen === undefined ? Array.from({ length: 200 }, (_, at) => at + 1) : [Number(chosen)];
/** A process writes to the stores of so many seeds at once, and they all lose it together. */
const TOGETHER = 10;
const ROUNDS = 2;

test(`fileStorage() keeps every acknowledged change when writers are killed, under ${seeds.length} seeds`, async () => {
  const template = join(root, "template");
  await prepare(template);
  let kills = 0;
  for (let at = 0; at < seeds.length; at += TOGETHER) {
    const stores = seeds.slice(at, at + TOGETHER).map((seed) => new KilledStore(seed));
    await Promise.all(stores.map((store) => store.begin(template)));
    const random = seededRandom(stores[0]!.seed);
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all([0, 1].map((which) => writeAndKill(stores, `r${round}w${which}`, random)));
      kills += 2;
    }
    for (const store of stores) await store.check();
  }
  expect(kills).toBe(2 * ROUNDS * Math.ceil(seeds.length / TOGETHER));
}, 180_000);

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

/** A catalog whose writers are killed, and a reader that outlives them. */
class KilledStore {
  readonly seed: number;
  readonly directory: string;
  readonly acknowledged = new Map<string, number>();
  #reader: Catalog<Item> | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.directory = join(root, `seed-${seed}`);
  }

  /** Some begin with nothing at all, others shortly before snapshots and segments are written. */
  async begin(template: string): Promise<void> {
    if (this.seed % 10 !== 0) return;
    await cp(template, this.directory, { recursive: true });
    this.#reader = await open(this.directory);
  }

  async check(): Promise<void> {
    try {
      await using again = await open(this.directory);
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

/** A catalog a few entries before it writes a snapshot and a segment. */
async function prepare(directory: string): Promise<void> {
  const catalog = await open(directory);
  const item = (id: number, n: number): Item => ({ id: `t${id}`, group: `g${id % 3}`, n });
  for (let at = 0; at < 740; at++) await catalog.insert(item(at % 50, at));
  for (let at = 0; at < 8; at++) {
    await catalog.insertMany(Array.from({ length: 400 }, (_, id) => item(id, 1000 + at)));
  }
  await catalog.close();
}

function open(directory: string): Promise<Catalog<Item>> {
  const storage = fileStorage({ directory });
  return openCatalog<Item>({ storage, name: "killed", rowKey: "id", indexKeys: ["group", "n"] });
}

function startWriter(name: string, count: number, directories: readonly string[]) {
  const child = spawn(process.execPath, [WRITER, name, String(count), ...directories], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  const listeners = new Set<() => void>();
  child.stdout.on("data", (data: Buffer) => {
    said += data.toString();
    for (const listener of listeners) listener();
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = () => said.split("\n").slice(0, -1);
  return {
    kill: () => child.kill("SIGKILL"),
    acknowledged: ended.then(() =>
      lines().map((line) => {
        const [place, actor, sequence] = line.split(" ");
        return { place: Number(place), actor: actor!, sequence: Number(sequence) };
      }),
    ),
    untilAcknowledged: (count: number) =>
      Promise.race([
        ended,
        new Promise<void>((resolve) => {
          const look = () => {
            if (lines().length >= count) resolve();
          };
          listeners.add(look);
          look();
        }),
      ]),
  };
}
