import { expect } from "bun:test";

import { fileStorage, openCatalog, type Catalog, type Edit, type LogRetention } from "agnes/catalog";

import { createHost } from "../../lib/base/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";

interface Item {
  readonly id: string;
  readonly group: string;
}

const WRITERS = 2;

/** Opens the catalog on a disk like a new process. */
export function openOn(
  disk: ForgetfulDisk,
  actor = "ann",
  retention: LogRetention = {},
): Promise<Catalog<Item>> {
  const real = createHost({ files: disk.files(), env: {} });
  // Waiting for another writer only yields, so tests do not sleep.
  const sleep: typeof real.sleep = (ms, signal) =>
    ms < 5000 ? new Promise((resolve) => setImmediate(resolve)) : real.sleep(ms, signal);
  const host = { ...real, sleep };
  const storage = fileStorage({ directory: "/data/state", host });
  const keys = { name: "things", rowKey: "id", indexKeys: ["group"] };
  return openCatalog<Item>({ storage, ...keys, actor, host, ...retention });
}

/** The written edits and the acknowledgements. */
interface Written {
  readonly retention: LogRetention;
  readonly edits: Map<string, readonly Edit<Item>[]>;
  /** Sequence numbers by actor. */
  readonly acknowledged: Map<string, number>;
  /** Actors by sequence number, including entries that were not acknowledged. */
  readonly actors: Map<number, string>;
}

/**
 * Cuts the power several times at random points while two processes write, and checks that all acknowledged entries
 * exist at their sequence numbers without gaps. Some catalogs keep only their newest entries.
 */
export async function expectPowerFailuresSurvived(seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) {
    try {
      await survive(seed);
    } catch (error) {
      throw new Error(`AGNES_SEED=${seed}: ${String(error)}`, { cause: error });
    }
  }
}

async function survive(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const disk = new ForgetfulDisk();
  const retention: LogRetention = seed % 4 === 3 ? { keepEntries: 100 } : {};
  const written: Written = { retention, edits: new Map(), acknowledged: new Map(), actors: new Map() };
  for (let round = 0; round < 3; round++) {
    // Early failures affect the first directories, later ones segments and snapshots.
    let steps = Math.floor(random() * (seed % 2 === 0 ? 100 : 12_000));
    let cut = () => {};
    const failed = new Promise<void>((resolve) => (cut = resolve));
    disk.before = () => {
      steps -= 1;
      if (steps === 0) {
        // Data that was not synced is lost completely or in part.
        const kept = random() < 0.5 ? 0 : random();
        disk.cutPower(() => random() < kept);
        cut();
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, at) => write(disk, `${round}-${at}`, written));
    await Promise.race([failed, ...writers.map((writer) => writer.then(() => failed))]);
    disk.before = () => {};
    await check(disk, written);
  }
}

async function write(disk: ForgetfulDisk, name: string, written: Written): Promise<void> {
  const catalog = await openOn(disk, name, written.retention);
  for (let at = 0; ; at++) {
    const actor = `${name}-${at}`;
    const item = (id: number): Item => ({ id: `i${id}`, group: actor });
    const many = Array.from({ length: at % 8 === 7 ? 200 : 1 }, (_, more) => item((at + more) % 220));
    // Deleted records are inserted again, sometimes after snapshots have dropped them.
    const edits = many.map((record, more): Edit<Item> => {
      const isDeleted = at % 16 === 15 && more % 3 > 0 && more > 0;
      return isDeleted ? { kind: "delete", rowKey: record.id } : { kind: "put", record };
    });
    written.edits.set(actor, edits);
    const { sequence } = await catalog.transact(() => edits, { actor });
    written.acknowledged.set(actor, sequence);
    written.actors.set(sequence, actor);
  }
}

async function check(disk: ForgetfulDisk, written: Written): Promise<void> {
  await using catalog = await openOn(disk, "checker", written.retention);
  const { acknowledged, actors, edits } = written;
  const kept = new Map<number, readonly string[]>();
  for await (const { sequence, actor, changes } of catalog.entries()) {
    if (actors.has(sequence)) expect(actor).toBe(actors.get(sequence)!);
    actors.set(sequence, actor);
    kept.set(
      sequence,
      changes.map(({ rowKey }) => String(rowKey)),
    );
  }
  const head = await catalog.version();
  const [first = 1] = kept.keys();
  expect(kept.size).toBe(head - first + 1);
  if (written.retention.keepEntries === undefined) expect(first).toBe(1);
  else expect(kept.size).toBeLessThan(written.retention.keepEntries + 3 * 256);
  const lost = [...acknowledged].filter(
    ([actor, sequence]) => sequence > head || actors.get(sequence) !== actor,
  );
  expect(lost).toEqual([]);
  const state = new Map<string, string>();
  for (let sequence = 1; sequence <= head; sequence++) {
    for (const edit of edits.get(actors.get(sequence)!)!) {
      if (edit.kind === "put") state.set(edit.record.id, edit.record.group);
      else state.delete(String(edit.rowKey));
    }
  }
  const found = (await catalog.query({})).map(({ record }) => [record.id, record.group]);
  expect(found).toEqual([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const id of ["i2", "i100", "i219", "i500"]) {
    const sequences = (await catalog.history({ rowKey: id, limit: 100_000 })).map(({ sequence }) => sequence);
    expect(sequences).toEqual([...kept].flatMap(([sequence, ids]) => (ids.includes(id) ? [sequence] : [])));
  }
}
