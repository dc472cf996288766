import { expect } from "bun:test";

import { fileStorage, openCatalog, type Catalog, type Edit } from "agnes/catalog";

import { createHost } from "../../lib/base/mod.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import { ForgetfulDisk } from "../fakes/forgetful-files.ts";

interface Item {
  readonly id: string;
  readonly group: string;
}

const WRITERS = 2;

/** Opens the catalog on a disk as a process that starts now. */
export function openOn(disk: ForgetfulDisk, actor = "ann"): Promise<Catalog<Item>> {
  const real = createHost({ files: disk.files(), env: {} });
  // Who waits for another writer waits a moment, not for a time.
  const sleep: typeof real.sleep = (ms, signal) =>
    ms < 5000 ? new Promise((resolve) => setImmediate(resolve)) : real.sleep(ms, signal);
  const host = { ...real, sleep };
  const storage = fileStorage({ directory: "/data/state", host });
  return openCatalog<Item>({ storage, name: "things", rowKey: "id", indexKeys: ["group"], actor, host });
}

/**
 * Cuts the power anywhere while two processes write, several times, and checks that everything that was
 * acknowledged is there under its number, without a gap.
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
  const acknowledged = new Map<string, number>();
  for (let round = 0; round < 3; round++) {
    // Early failures meet the first directories, later ones segments and snapshots.
    let steps = Math.floor(random() * (seed % 2 === 0 ? 100 : 12_000));
    let cut = () => {};
    const failed = new Promise<void>((resolve) => (cut = resolve));
    disk.before = () => {
      steps -= 1;
      if (steps === 0) {
        // What was not synced is lost altogether, or in part.
        const kept = random() < 0.5 ? 0 : random();
        disk.cutPower(() => random() < kept);
        cut();
      }
    };
    const writers = Array.from({ length: WRITERS }, (_, at) => write(disk, `${round}-${at}`, acknowledged));
    await Promise.race([failed, ...writers.map((writer) => writer.then(() => failed))]);
    disk.before = () => {};
    await check(disk, acknowledged);
  }
}

async function write(disk: ForgetfulDisk, name: string, acknowledged: Map<string, number>): Promise<void> {
  const catalog = await openOn(disk);
  for (let at = 0; ; at++) {
    const actor = `${name}-${at}`;
    const item = (id: number): Item => ({ id: `i${id}`, group: actor });
    const many = Array.from({ length: at % 8 === 7 ? 200 : 1 }, (_, more) => item((at + more) % 220));
    // What is deleted comes again, sometimes when snapshots have left it out since.
    const edits = many.map((record, more): Edit<Item> => {
      const isDeleted = at % 16 === 15 && more % 3 > 0 && more > 0;
      return isDeleted ? { kind: "delete", rowKey: record.id } : { kind: "put", record };
    });
    acknowledged.set(actor, (await catalog.transact(() => edits, { actor })).sequence);
  }
}

async function check(disk: ForgetfulDisk, acknowledged: ReadonlyMap<string, number>): Promise<void> {
  await using catalog = await openOn(disk);
  const written = new Map<string, number>();
  const state = new Map<string, string>();
  const histories = new Map<string, number[]>();
  for await (const { sequence, actor, changes } of catalog.entries()) {
    written.set(actor, sequence);
    for (const { rowKey, after } of changes) {
      const id = String(rowKey);
      if (after === null) state.delete(id);
      else state.set(id, after.group);
      histories.set(id, [...(histories.get(id) ?? []), sequence]);
    }
  }
  const lost = [...acknowledged].filter(([actor, sequence]) => written.get(actor) !== sequence);
  expect(lost).toEqual([]);
  const found = (await catalog.query({})).map(({ record }) => [record.id, record.group]);
  expect(found).toEqual([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
  for (const id of ["i2", "i100", "i219", "i500"]) {
    const sequences = (await catalog.history({ rowKey: id, limit: 100_000 })).map(({ sequence }) => sequence);
    expect(sequences).toEqual(histories.get(id) ?? []);
  }
}
