import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
  const said = await Promise.all(
    ["ann", "bob"].map((name) => startWriter(directory, name, 200).acknowledged),
  );
  const catalog = await open(directory);
  const entries = await catalog.history();
  expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 400 }, (_, at) => at + 1));
  expect(new Map(entries.map(({ actor, sequence }) => [actor, sequence]))).toEqual(new Map(said.flat()));
  await catalog.close();
}, 30_000);

const chosen = process.env["AGNES_SEED"];
const seeds = chosen === undefined ? Array.from({ length: 20 }, (_, at) => at + 1) : [Number(chosen)];
const KILLS = 10;

test(`fileStorage() keeps every acknowledged change through ${seeds.length * KILLS} kills`, async () => {
  const template = join(root, "template");
  await prepare(template);
  for (const seed of seeds) {
    const directory = join(root, `seed-${seed}`);
    await cp(template, directory, { recursive: true });
    const random = seededRandom(seed);
    const acknowledged = new Map<string, number>();
    for (let kill = 0; kill < KILLS; kill += 2) {
      const writers = [0, 1].map((at) => startWriter(directory, `s${seed}k${kill + at}`, 100_000));
      await Promise.all(
        writers.map(async (writer) => {
          const wanted = Math.floor(random() * 25);
          await writer.untilAcknowledged(wanted);
          await new Promise((resolve) => setTimeout(resolve, random() * 4));
          writer.kill();
          for (const [actor, sequence] of await writer.acknowledged) acknowledged.set(actor, sequence);
        }),
      );
    }
    await check(directory, acknowledged).catch((error: unknown) => {
      throw new Error(`AGNES_SEED=${seed}: ${String(error)}`, { cause: error });
    });
    await rm(directory, { recursive: true });
  }
}, 90_000);

async function check(directory: string, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  const catalog = await open(directory);
  const state = new Map<string, Item>();
  const written = new Map<string, number[]>();
  let last = 0;
  for await (const { sequence, actor, changes } of catalog.entries()) {
    expect(sequence).toBe(++last);
    written.set(actor, [...(written.get(actor) ?? []), sequence]);
    for (const { rowKey, before, after } of changes) {
      expect(before).toEqual(state.get(String(rowKey)) ?? null);
      state.set(String(rowKey), after!);
    }
  }
  for (const [actor, sequence] of acknowledged)
    expect([actor, written.get(actor)]).toEqual([actor, [sequence]]);
  const all = [...state.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  expect((await catalog.query({})).map(({ record }) => record)).toEqual(all);
  for (const group of ["g0", "g1", "g2"]) {
    const found = (await catalog.query({ group })).map(({ record }) => record);
    expect(found).toEqual(all.filter((item) => item.group === group));
  }
  await catalog.close();
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

function startWriter(directory: string, name: string, count: number) {
  const child = spawn(process.execPath, [WRITER, directory, name, String(count)], {
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
      lines().map((line): [string, number] => {
        const [actor, sequence] = line.split(" ");
        return [actor!, Number(sequence)];
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
